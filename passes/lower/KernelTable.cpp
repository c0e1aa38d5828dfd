//===- KernelTable.cpp - Equal kernels once -------------------------------===//
#include "passes/lower/KernelTable.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"

using namespace mlir;
using namespace llamac;

/// Attributes that make two kernels differ: not the rows, not the name.
static SmallVector<NamedAttribute> keyAttributes(Operation *op) {
  SmallVector<NamedAttribute> attrs;
  for (NamedAttribute attr : op->getAttrDictionary())
    if (attr.getName() != "rows" &&
        attr.getName() != llm::LlmDialect::kSourceAttr)
      attrs.push_back(attr);
  return attrs;
}

/// The type less its rows.
static Type keyType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  if (!shape.empty())
    shape[0] = ShapedType::kDynamic;
  return RankedTensorType::get(shape, tensor.getElementType());
}

static llvm::hash_code hashOf(Operation *op) {
  llvm::hash_code hash = hash_value(op->getName());
  for (NamedAttribute attr : keyAttributes(op))
    hash = llvm::hash_combine(hash, attr.getName(), attr.getValue());
  for (Value v : op->getOperands())
    hash = llvm::hash_combine(hash, keyType(v.getType()));
  op->walk([&](Operation *inner) {
    if (inner != op)
      hash = llvm::hash_combine(hash, inner->getName(),
                                inner->getAttrDictionary());
  });
  return hash;
}

static bool sameKernel(Operation *a, Operation *b) {
  auto types = [](Operation *op, auto range) {
    return llvm::map_to_vector(range, keyType);
  };
  return a->getName() == b->getName() &&
         llvm::equal(keyAttributes(a), keyAttributes(b)) &&
         types(a, a->getOperandTypes()) == types(b, b->getOperandTypes()) &&
         types(a, a->getResultTypes()) == types(b, b->getResultTypes()) &&
         a->getNumRegions() == b->getNumRegions() &&
         (a->getNumRegions() == 0 ||
          OperationEquivalence::isRegionEquivalentTo(
              &a->getRegion(0), &b->getRegion(0),
              OperationEquivalence::IgnoreLocations));
}

StringRef KernelTable::kernelFor(Operation *source) {
  auto &candidates = kernels[hashOf(source)];
  for (auto &[seen, kernel] : candidates)
    if (sameKernel(seen, source))
      return kernel.getSymName();
  plan::KernelOp kernel = create(source);
  candidates.emplace_back(kernel.getSource(), kernel);
  return kernel.getSymName();
}

plan::KernelOp KernelTable::create(Operation *source) {
  std::string name = source->getName().stripDialect().str();
  if (auto attr =
          source->getAttrOfType<StringAttr>(llm::LlmDialect::kSourceAttr))
    name = attr.getValue().str();
  std::string description = name;
  if (auto rowwise = dyn_cast<llm::RowwiseOp>(source))
    description += ", " + std::to_string(rowwise.getCols()) + " columns";
  std::string symbol = name + "_" + std::to_string(count++);
  llvm::replace(symbol, '+', '_');

  auto kernel = plan::KernelOp::create(
      builder, source->getLoc(), StringRef(symbol), StringRef(description));
  Block &block = kernel.getBody().emplaceBlock();
  IRMapping map;
  for (Value operand : source->getOperands())
    block.addArgument(operand.getType(), source->getLoc());
  OpBuilder body = OpBuilder::atBlockEnd(&block);
  Operation *copy = body.clone(*source, map);
  copy->setOperands(SmallVector<Value>(block.getArguments()));
  return kernel;
}
