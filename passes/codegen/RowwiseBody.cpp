//===- RowwiseBody.cpp - What generators of llm.rowwise share -------------===//
#include "passes/codegen/RowwiseBody.h"

#include "passes/codegen/CpuMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace llamac;

using llm::RowReduceOp;

FailureOr<RowwiseBody::Access> RowwiseBody::analyzeAccess(AffineMap map,
                                                          Type type,
                                                          const Twine &what,
                                                          StringRef target) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  if (!element.isF32() && !element.isF64() && !element.isInteger(32) &&
      !element.isInteger(64) && !(abilities.bf16 && element.isBF16()))
    return op.emitOpError()
           << what << ": " << target << " kernels take f32, f64, "
           << (abilities.bf16 ? "bf16, " : "") << "i32 and i64, not "
           << element;
  auto index = LinearIndex::get(map, tensor.getShape());
  if (failed(index))
    return op.emitOpError()
           << what << ": " << target << " kernels cannot follow "
           << AffineMapAttr::get(map);
  if (op.getCols() == 1)
    index->column = 0;
  return Access{*index, element};
}

LogicalResult RowwiseBody::analyzeOp(Operation *bodyOp, StringRef target) {
  auto unsupported = [&](const Twine &why) {
    return bodyOp->emitOpError()
           << "has no form in a " << target << " kernel" << why;
  };
  if (isa<llm::YieldOp, RowReduceOp, llm::RowIndexOp, llm::ColumnIndexOp>(
          bodyOp))
    return success();
  bool holdsBf16 =
      abilities.bf16 &&
      isa<arith::ConstantOp, arith::ExtFOp, arith::TruncFOp, arith::SelectOp>(
          bodyOp);
  for (Type type : llvm::concat<const Type>(
           llvm::SmallVector<Type>(bodyOp->getOperandTypes()),
           llvm::SmallVector<Type>(bodyOp->getResultTypes())))
    if (!type.isF32() && !type.isF64() && !type.isSignlessInteger() &&
        !(holdsBf16 && type.isBF16()))
      return bodyOp->emitOpError() << "has type " << type << ": " << target
                                   << " kernels compute in f32 and f64";
  if (isa<arith::ConstantOp>(bodyOp))
    return success();
  if (bodyOp->getNumResults() != 1 || bodyOp->getNumRegions() != 0)
    return unsupported("");
  if (isa<math::ExpOp, math::LogOp>(bodyOp))
    return bodyOp->getResult(0).getType().isF32() ? success()
                                                  : unsupported(" but for f32");
  // The rest of math would call a library.
  if (isa<math::RsqrtOp, math::SqrtOp, math::AbsFOp, math::AbsIOp, math::FmaOp,
          math::FloorOp, math::CeilOp, math::RoundEvenOp, math::TruncOp,
          math::CopySignOp>(bodyOp))
    return success();
  if (isa<arith::ArithDialect>(bodyOp->getDialect()) &&
      OpTrait::hasElementwiseMappableTraits(bodyOp) &&
      !isa<arith::RemFOp>(bodyOp))
    return success();
  return unsupported("");
}

LogicalResult RowwiseBody::analyze(StringRef target) {
  for (auto [i, input] : llvm::enumerate(op.getInputs())) {
    auto access = analyzeAccess(op.inputMap(i), input.getType(),
                                "input " + Twine(i), target);
    if (failed(access))
      return failure();
    reads.push_back(*access);
  }
  for (auto [j, result] : llvm::enumerate(op.getYieldResults())) {
    auto access = analyzeAccess(op.yieldMap(j), op.getResult(result).getType(),
                                "yield " + Twine(j), target);
    if (failed(access))
      return failure();
    writes.push_back(*access);
  }
  for (Operation &bodyOp : op.getBlock())
    if (failed(analyzeOp(&bodyOp, target)))
      return failure();
  if (op.getCols() == 1)
    return success();
  for (auto reduce : op.getBlock().getOps<RowReduceOp>()) {
    unsigned level = levelOf(reduce.getResult());
    if (levels.size() < level)
      levels.resize(level);
    levels[level - 1].push_back(reduce);
  }
  return success();
}

RowReduceOp RowwiseBody::onlineMax(RowReduceOp sum) {
  if (!abilities.online || sum.getKind() != llm::ReduceKind::Add ||
      !sum.getType().isF32())
    return {};
  auto exp = sum.getValue().getDefiningOp<math::ExpOp>();
  auto shifted =
      exp ? exp.getOperand().getDefiningOp<arith::SubFOp>() : arith::SubFOp();
  auto max =
      shifted ? shifted.getRhs().getDefiningOp<RowReduceOp>() : RowReduceOp();
  if (!max || max.getKind() != llm::ReduceKind::Max ||
      max.getValue() != shifted.getLhs())
    return {};
  return max;
}

/// Loops over the columns that must be done before the value is known.
unsigned RowwiseBody::levelOf(Value value) {
  Operation *def = value.getDefiningOp();
  if (!def)
    return 0;
  auto [it, isNew] = levelMemo.try_emplace(value, 0);
  if (!isNew)
    return it->second;
  unsigned level = 0;
  auto reduce = dyn_cast<RowReduceOp>(def);
  if (RowReduceOp max = reduce ? onlineMax(reduce) : RowReduceOp())
    return levelMemo[value] = levelOf(max.getResult());
  for (Value operand : def->getOperands())
    level = std::max(level, levelOf(operand));
  if (reduce)
    ++level;
  return levelMemo[value] = level;
}

bool RowwiseBody::isUniform(Value value) {
  if (op.getCols() == 1)
    return true;
  auto [it, isNew] = uniformity.try_emplace(value, false);
  if (isNew)
    uniformity[value] = op.isRowUniform(value);
  return uniformity[value];
}

Value RowwiseBody::emitOp(KernelBuilder &k, Operation *bodyOp,
                          llvm::function_ref<Value(Value)> operand,
                          unsigned lanes) {
  OpBuilder &b = k.b;
  Type type = k.vec(bodyOp->getResult(0).getType(), lanes);
  if (auto constant = dyn_cast<arith::ConstantOp>(bodyOp)) {
    Value scalar = arith::ConstantOp::create(b, k.loc, constant.getValue());
    return k.splat(scalar, lanes);
  }
  KernelBuilder::Values operands;
  for (Value v : bodyOp->getOperands())
    operands.push_back(operand(v));
  if (isa<math::ExpOp>(bodyOp))
    return emitExp(k, operands[0]);
  if (isa<math::LogOp>(bodyOp))
    return emitLog(k, operands[0]);
  if (isa<math::RsqrtOp>(bodyOp))
    return emitRsqrt(k, operands[0]);
  OperationState state(k.loc, bodyOp->getName());
  state.addOperands(operands);
  state.addTypes(type);
  state.addAttributes(bodyOp->getAttrs());
  state.propertiesAttr = bodyOp->getPropertiesAsAttribute();
  Operation *clone = b.create(state);
  if (isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(clone))
    clone->setAttr("fastmath",
                   arith::FastMathFlagsAttr::get(
                       b.getContext(), arith::FastMathFlags::contract));
  return clone->getResult(0);
}
