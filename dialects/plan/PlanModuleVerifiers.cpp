//===- PlanModuleVerifiers.cpp - Memory, tensors and code -----------------===//
//
// The rules are those of runtime/plan/VerifyMemory.cpp, told at compile time
// with a location.
//
//===----------------------------------------------------------------------===//
#include "dialects/plan/PlanDialect.h"
#include "dialects/plan/PlanPlace.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace plan;

LogicalResult AllocationOp::verify() {
  auto bytes = static_cast<int64_t>(getBytes());
  if (bytes < 0 || bytes > (int64_t(1) << 47))
    return emitOpError("has ") << bytes << " bytes, not 0 to 2^47";
  uint64_t alignment = getAlignment();
  if (!llvm::isPowerOf2_64(alignment) || alignment > 65536)
    return emitOpError("alignment ") << static_cast<int64_t>(alignment)
                                     << " is not a power of two up to 65536";
  return success();
}

LogicalResult ConstantOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  if (!type || placeBytes(type).value_or(0) == 0)
    return emitOpError("must be a non-empty tensor of a plan's element types");
  if (!isa<DenseElementsAttr, DenseResourceElementsAttr>(getValue()))
    return emitOpError("must be dense");
  return success();
}

LogicalResult CodeObjectOp::verify() {
  if (getArch().empty())
    return emitOpError("has no architecture");
  if (getData().empty())
    return emitOpError("has no data");
  return success();
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

ArrayRef<int64_t> TensorOp::getGlobalShapeOrLocal() {
  return getGlobalShape().value_or(getType().getShape());
}

ArrayRef<int64_t> TensorOp::getAxes(unsigned d) {
  ArrayAttr sharding = getShardingAttr();
  if (!sharding || d >= sharding.size())
    return {};
  return cast<DenseI64ArrayAttr>(sharding[d]).asArrayRef();
}

StringRef TensorOp::getGridAttrName() {
  switch (getSide()) {
  case Side::Own:
    break;
  case Side::Source:
    return PlanDialect::kSourceGridAttr;
  case Side::Target:
    return PlanDialect::kTargetGridAttr;
  }
  return PlanDialect::kGridAttr;
}

static LogicalResult verifyInit(TensorOp op) {
  InitKind kind = op.getInitKind();
  Role role = op.getRole();
  if (!op.getInitA().isFinite())
    return op.emitOpError("init value is not finite");
  if ((kind == InitKind::Data) != op.getInitConstant().has_value())
    return op.emitOpError(kind == InitKind::Data
                              ? "init(data) needs 'from @constant'"
                              : "only init(data) takes 'from @constant'");
  bool takesA = kind == InitKind::Uniform || kind == InitKind::Normal ||
                kind == InitKind::Value;
  if (!takesA && !op.getInitA().isZero())
    return op.emitOpError("init(")
           << stringifyInitKind(kind) << ") takes no number";
  bool accumulated = role == Role::Gradient || role == Role::FirstMoment ||
                     role == Role::SecondMoment || role == Role::Sensitivity ||
                     role == Role::Uncertainty;
  if (accumulated && kind != InitKind::Zero)
    return op.emitOpError("a ")
           << stringifyRole(role) << " must begin with init(zero)";
  if (role == Role::Constant && kind != InitKind::Data)
    return op.emitOpError("a constant needs init(data from @constant)");
  return success();
}

/// Local and global shape agree: a dimension is cut into as many equal parts,
/// rounded up, as its axes have devices.
static LogicalResult verifySharding(TensorOp op) {
  ArrayRef<int64_t> local = op.getType().getShape();
  ArrayRef<int64_t> global = op.getGlobalShapeOrLocal();
  if (global.size() != local.size())
    return op.emitOpError("global shape has rank ")
           << global.size() << ", the local one " << local.size();
  if (ArrayAttr sharding = op.getShardingAttr()) {
    if (sharding.size() > local.size())
      return op.emitOpError("sharding has ")
             << sharding.size() << " dimensions, the tensor " << local.size();
    if (!llvm::all_of(sharding, llvm::IsaPred<DenseI64ArrayAttr>))
      return op.emitOpError("sharding must be a list of lists of grid axes");
  }
  SmallVector<int64_t> used;
  int64_t allParts = 1;
  for (unsigned d = 0; d < local.size(); ++d) {
    used.append(op.getAxes(d).begin(), op.getAxes(d).end());
    if (failed(devicesAlong(op, used, op.getGridAttrName())))
      return failure();
    FailureOr<int64_t> parts =
        devicesAlong(op, op.getAxes(d), op.getGridAttrName());
    if (failed(parts))
      return failure();
    allParts *= *parts;
    if (global[d] < 1 || local[d] != llvm::divideCeil(global[d], *parts))
      return op.emitOpError("dimension ")
             << d << " is " << local[d] << " of " << global[d] << " over "
             << *parts << " devices";
  }
  auto part = static_cast<int64_t>(op.getPart());
  if (part < 0 || (op.getSide() == Side::Own ? part != 0 : part >= allParts))
    return op.emitOpError("is part ") << part << " of " << allParts;
  return success();
}

LogicalResult TensorOp::verify() {
  if (getName().empty())
    return emitOpError("has no name");
  std::optional<int64_t> bytes = placeBytes(getType());
  if (!bytes || *bytes == 0 || getType().getRank() > 8)
    return emitOpError("is empty, above 2^47 bytes or of rank above 8");
  if (getPitch() &&
      (getType().getRank() != 2 || *getPitch() >= (uint64_t(1) << 31) ||
       static_cast<int64_t>(*getPitch()) < getType().getDimSize(1)))
    return emitOpError("pitch ") << static_cast<int64_t>(*getPitch())
                                 << " does not suit " << getType();
  if (getRole() == Role::Parameter && getOffset() % 64 != 0)
    return emitOpError("parameter at ")
           << getOffset() << " must start at a multiple of 64 bytes";
  if (failed(verifyInit(*this)))
    return failure();
  return verifySharding(*this);
}

static Category categoryFor(Role role) {
  switch (role) {
  case Role::Weight:
    return Category::Weights;
  case Role::Parameter:
    return Category::Parameters;
  case Role::Gradient:
    return Category::Gradients;
  case Role::FirstMoment:
  case Role::SecondMoment:
  case Role::State:
  case Role::Sensitivity:
  case Role::Uncertainty:
    return Category::OptimizerState;
  case Role::Constant:
    break;
  }
  return Category::Constants;
}

AllocationOp plan::checkPlace(Operation *op, SymbolTableCollection &symbols,
                              FlatSymbolRefAttr symbol, RankedTensorType type,
                              std::optional<uint64_t> offset,
                              std::optional<uint64_t> pitch) {
  auto allocation = symbols.lookupNearestSymbolFrom<AllocationOp>(op, symbol);
  if (!allocation) {
    op->emitOpError() << symbol << " is not a plan.allocation";
    return nullptr;
  }
  if (!offset)
    return allocation;
  uint64_t bytes = placeBytes(type).value_or(0);
  if (pitch) // verified: a matrix of at most 2^47 bytes, pitch at most 2^31
    bytes = (static_cast<uint64_t>(type.getDimSize(0) - 1) * *pitch +
             static_cast<uint64_t>(type.getDimSize(1))) *
            elementBytes(type.getElementType());
  uint64_t size = allocation.getBytes();
  if (*offset > size || bytes > size - *offset) {
    op->emitOpError("bytes [")
        << static_cast<int64_t>(*offset) << ", +" << bytes << ") are outside "
        << symbol << " of " << size << " bytes";
    return nullptr;
  }
  if (*offset % elementBytes(type.getElementType()) != 0) {
    op->emitOpError("offset ") << *offset << " does not fit the alignment of "
                               << type.getElementType();
    return nullptr;
  }
  return allocation;
}

LogicalResult TensorOp::verifySymbolUses(SymbolTableCollection &symbols) {
  AllocationOp allocation = checkPlace(*this, symbols, getAllocationAttr(),
                                       getType(), getOffset(), getPitch());
  if (!allocation)
    return failure();
  if (allocation.getCategory() != categoryFor(getRole()))
    return emitOpError("a ")
           << stringifyRole(getRole()) << " cannot lie in an allocation for "
           << stringifyCategory(allocation.getCategory());
  FlatSymbolRefAttr symbol = getInitConstantAttr();
  if (!symbol)
    return success();
  auto constant = symbols.lookupNearestSymbolFrom<ConstantOp>(*this, symbol);
  if (!constant)
    return emitOpError() << symbol << " is not a plan.constant";
  int64_t have =
      *placeBytes(cast<RankedTensorType>(constant.getValue().getType()));
  int64_t want = *placeBytes(getType());
  if (have != want)
    return emitOpError() << symbol << " has " << have << " bytes instead of "
                         << want;
  return success();
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

void KernelOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                     StringRef description, Operation *source) {
  build(builder, state, name, description);
  OpBuilder::InsertionGuard guard(builder);
  Block &block = state.regions.front()->emplaceBlock();
  builder.setInsertionPointToEnd(&block);
  Operation *copy = builder.clone(*source);
  for (OpOperand &operand : copy->getOpOperands())
    operand.set(block.addArgument(operand.get().getType(), source->getLoc()));
  ReturnOp::create(builder, source->getLoc(), copy->getResults());
}

Operation *KernelOp::getSource() {
  if (getBody().empty() || getBody().front().empty())
    return nullptr;
  return &getBody().front().front();
}

LogicalResult KernelOp::verify() {
  if (getBody().empty() && !getCodeObject())
    return emitOpError("needs a source op in a region or a code object");
  if (auto sums = getSums();
      sums && (sums->size() != 2 || (*sums)[0] < 0 || (*sums)[1] < 2))
    return emitOpError("sums is not an argument and a number of devices");
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  if (getBody().empty())
    return success();
  Block &block = getBody().front();
  auto end = block.empty() ? ReturnOp() : dyn_cast<ReturnOp>(block.back());
  int64_t sources = block.getOperations().size() - (end ? 1 : 0);
  if (sources != 1)
    return emitOpError("must hold exactly one source op, not ") << sources;
  if (block.front().getNumResults() == 0)
    return emitOpError("source op has no results: the kernel writes nothing");
  if (end && !llvm::equal(end.getValues(), block.front().getResults()))
    return end.emitOpError("must return the results of the source op in order");
  return success();
}

LogicalResult KernelOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FlatSymbolRefAttr symbol = getCodeObjectAttr();
  if (symbol && !symbols.lookupNearestSymbolFrom<CodeObjectOp>(*this, symbol))
    return emitOpError() << symbol << " is not a plan.code_object";
  return success();
}
