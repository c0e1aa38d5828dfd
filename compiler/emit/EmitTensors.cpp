//===- EmitTensors.cpp - Allocations, constants, tensors ------------------===//
#include "compiler/emit/EmitContext.h"

#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace llamac::emit;

// The enums of the dialect have the values of the schema's.
static_assert(int(plan::Category::Workspace) == int(fb::Category::Workspace) &&
              int(plan::getMaxEnumValForCategory()) == int(fb::Category::MAX));
static_assert(int(plan::Role::Uncertainty) == int(fb::Role::Uncertainty) &&
              int(plan::getMaxEnumValForRole()) == int(fb::Role::MAX));
static_assert(int(plan::Side::Target) == int(fb::Side::Target) &&
              int(plan::getMaxEnumValForSide()) == int(fb::Side::MAX));
static_assert(int(plan::InitKind::Data) == int(fb::InitKind::Data) &&
              int(plan::getMaxEnumValForInitKind()) == int(fb::InitKind::MAX));

Vector<flatbuffers::Offset<fb::Allocation>>
llamac::emit::emitAllocations(Context &context) {
  Tables<fb::Allocation> table;
  for (auto op : context.module.getOps<plan::AllocationOp>()) {
    context.allocations[op.getSymName()] = table.size();
    table.push_back(fb::CreateAllocation(
        context.builder, context.string(op.getSymName()),
        static_cast<fb::Category>(op.getCategory()), op.getBytes(),
        static_cast<uint32_t>(op.getAlignment())));
  }
  return context.tables(table);
}

/// Row-major bytes of a constant; `storage` holds them if the attribute does
/// not.
static FailureOr<StringRef> bytesOf(plan::ConstantOp op, std::string &storage) {
  auto text = [](ArrayRef<char> bytes) {
    return StringRef(bytes.data(), bytes.size());
  };
  size_t size =
      *plan::placeBytes(cast<RankedTensorType>(op.getValue().getType()));
  StringRef bytes;
  if (auto dense = dyn_cast<DenseElementsAttr>(op.getValue())) {
    bytes = text(dense.getRawData());
    if (dense.isSplat() && bytes.size() < size) {
      storage.reserve(size);
      while (storage.size() < size)
        storage += bytes;
      bytes = storage;
    }
  } else if (auto resource =
                 dyn_cast<DenseResourceElementsAttr>(op.getValue())) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      bytes = text(blob->getData());
  }
  if (bytes.size() != size)
    return op.emitOpError("has ")
           << bytes.size() << " bytes of data instead of " << size;
  return bytes;
}

FailureOr<Vector<flatbuffers::Offset<fb::Constant>>>
llamac::emit::emitConstants(Context &context) {
  Tables<fb::Constant> table;
  for (auto op : context.module.getOps<plan::ConstantOp>()) {
    std::string storage;
    FailureOr<StringRef> bytes = bytesOf(op, storage);
    if (failed(bytes))
      return failure();
    context.constants[op.getSymName()] = table.size();
    table.push_back(fb::CreateConstant(context.builder, context.blob(*bytes)));
  }
  return context.tables(table);
}

static flatbuffers::Offset<fb::Init> emitInit(Context &context,
                                              plan::TensorOp op) {
  uint32_t constant = 0;
  if (auto symbol = op.getInitConstant())
    constant = context.constants.lookup(*symbol);
  return fb::CreateInit(context.builder,
                        static_cast<fb::InitKind>(op.getInitKind()),
                        op.getInitA().convertToDouble(), constant);
}

static Vector<flatbuffers::Offset<fb::DimSharding>>
emitSharding(Context &context, plan::TensorOp op) {
  Tables<fb::DimSharding> dims;
  if (!op.getSharding())
    return context.tables(dims);
  for (int64_t d = 0; d < op.getType().getRank(); ++d)
    dims.push_back(fb::CreateDimSharding(
        context.builder, context.numbers<uint8_t>(op.getAxes(d))));
  return context.tables(dims);
}

Vector<flatbuffers::Offset<fb::Tensor>>
llamac::emit::emitTensors(Context &context) {
  Tables<fb::Tensor> table;
  for (auto op : context.module.getOps<plan::TensorOp>()) {
    auto name = context.string(op.getName());
    auto shape = context.numbers<uint64_t>(op.getGlobalShapeOrLocal());
    auto sharding = emitSharding(context, op);
    auto init = emitInit(context, op);
    uint32_t buffer = context.buffer(op.getAllocation(), op.getOffset(),
                                     op.getType(), op.getPitch().value_or(0));
    table.push_back(fb::CreateTensor(
        context.builder, name, static_cast<fb::Role>(op.getRole()), buffer,
        shape, sharding, init, static_cast<fb::Side>(op.getSide()),
        static_cast<uint32_t>(op.getPart())));
  }
  return context.tables(table);
}
