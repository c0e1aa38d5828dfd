//===- EmitContext.cpp - Buffers, locations, bytes ------------------------===//
#include "compiler/emit/EmitContext.h"

#include "compiler/emit/LocationText.h"

using namespace mlir;
using namespace llamac::emit;

fb::DType llamac::emit::dtypeOf(Type type) {
  if (type.isF32())
    return fb::DType::F32;
  if (type.isBF16())
    return fb::DType::BF16;
  if (type.isF16())
    return fb::DType::F16;
  if (type.isF64())
    return fb::DType::F64;
  if (type.isSignlessInteger(32))
    return fb::DType::I32;
  if (type.isSignlessInteger(64))
    return fb::DType::I64;
  assert(type.getIntOrFloatBitWidth() == 8 && "not a plan's element type");
  return fb::DType::U8;
}

Vector<uint8_t> Context::blob(StringRef bytes) {
  // The builder pads the whole payload to the largest alignment it was asked
  // for, so a multiple of 64 from its end is one from its start; the header is
  // 64 bytes, so it is one in the file, too.
  builder.ForceVectorAlignment(bytes.size(), 1, 64);
  return builder.CreateVector(reinterpret_cast<const uint8_t *>(bytes.data()),
                              bytes.size());
}

uint32_t Context::buffer(StringRef allocation, uint64_t offset,
                         RankedTensorType type, uint64_t pitch) {
  if (type.getRank() == 2 && pitch == uint64_t(type.getDimSize(1)))
    pitch = 0;
  Place place(
      allocations.lookup(allocation), offset, dtypeOf(type.getElementType()),
      std::vector<uint64_t>(type.getShape().begin(), type.getShape().end()),
      pitch);
  auto [it, isNew] = bufferIndex.try_emplace(place, bufferList.size());
  if (isNew)
    bufferList.push_back(std::move(place));
  return it->second;
}

uint32_t Context::buffer(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (auto view = value.getDefiningOp<plan::ViewOp>()) {
    auto op = view.getSource().getDefiningOp<plan::BufferOp>();
    uint64_t bytes = plan::elementBytes(type.getElementType());
    return buffer(op.getAllocation(),
                  *op.getOffset() + view.getOffset() * bytes, type,
                  view.getPitch());
  }
  auto op = value.getDefiningOp<plan::BufferOp>();
  return buffer(op.getAllocation(), *op.getOffset(), type);
}

uint32_t Context::location(Location loc) {
  std::string text = locationText(loc);
  auto [it, isNew] = locationIndex.try_emplace(text, locationList.size());
  if (isNew)
    locationList.push_back(std::move(text));
  return it->second;
}

Vector<flatbuffers::Offset<fb::Buffer>> Context::bufferTable() {
  Tables<fb::Buffer> table;
  for (auto &[allocation, offset, dtype, shape, pitch] : bufferList)
    table.push_back(fb::CreateBuffer(builder, allocation, offset, dtype,
                                     numbers<uint64_t>(shape), pitch));
  return tables(table);
}

Vector<flatbuffers::Offset<flatbuffers::String>> Context::locationTable() {
  std::vector<flatbuffers::Offset<flatbuffers::String>> table;
  for (const std::string &text : locationList)
    table.push_back(string(text));
  return builder.CreateVector(table);
}
