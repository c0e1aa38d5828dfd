//===- EmitContext.h - Shared by the parts of emitPlan ---------*- C++ -*-===//
#pragma once

#include "dialects/plan/PlanDialect.h"
#include "runtime/plan/plan_generated.h"

#include "llvm/ADT/StringMap.h"

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

namespace llamac::emit {

namespace fb = ::llama::plan;
template <typename T>
using Vector = flatbuffers::Offset<flatbuffers::Vector<T>>;
template <typename T> using Tables = std::vector<flatbuffers::Offset<T>>;

/// The FlatBuffer under construction, and which entry of which table everything
/// that was emitted is. Symbols are of verified IR: lookups succeed.
class Context {
public:
  explicit Context(mlir::ModuleOp module) : module(module) {}

  mlir::ModuleOp module;
  flatbuffers::FlatBufferBuilder builder;

  // Index of a symbol in its table.
  llvm::StringMap<uint32_t> allocations, constants, codeObjects, kernels;

  flatbuffers::Offset<flatbuffers::String> string(llvm::StringRef text) {
    return builder.CreateSharedString(text.data(), text.size());
  }

  /// A vector of what `values` holds, or none if it is empty: absent and empty
  /// read the same.
  template <typename T, typename Range> Vector<T> numbers(Range &&values) {
    std::vector<T> copy(values.begin(), values.end());
    return copy.empty() ? Vector<T>() : builder.CreateVector(copy);
  }
  template <typename T>
  Vector<flatbuffers::Offset<T>> tables(const Tables<T> &entries) {
    return entries.empty() ? Vector<flatbuffers::Offset<T>>()
                           : builder.CreateVector(entries);
  }
  /// `bytes` at a multiple of 64 from the start of the payload.
  Vector<uint8_t> blob(llvm::StringRef bytes);

  /// The buffer of `type` at byte `offset` of `allocation`, its rows `pitch`
  /// elements apart (0: its row length); the same one twice is one entry.
  uint32_t buffer(llvm::StringRef allocation, uint64_t offset,
                  mlir::RankedTensorType type, uint64_t pitch = 0);
  /// The buffer that a `plan.buffer` or `plan.view` result is. It has an
  /// offset.
  uint32_t buffer(mlir::Value value);
  /// The entry of a location's text.
  uint32_t location(mlir::Location loc);

  Vector<flatbuffers::Offset<fb::Buffer>> bufferTable();
  Vector<flatbuffers::Offset<flatbuffers::String>> locationTable();

private:
  using Place = std::tuple<uint32_t, uint64_t, fb::DType, std::vector<uint64_t>,
                           uint64_t>;
  std::map<Place, uint32_t> bufferIndex;
  std::vector<Place> bufferList;
  llvm::StringMap<uint32_t> locationIndex;
  std::vector<std::string> locationList;
};

/// The DType of a plan's element type.
fb::DType dtypeOf(mlir::Type elementType);

/// Scalars and single tables of the root.
struct Header {
  flatbuffers::Offset<fb::Target> target;
  Vector<flatbuffers::Offset<fb::GridAxis>> grid, sourceGrid, targetGrid;
  flatbuffers::Offset<fb::Model> model;
  flatbuffers::Offset<fb::Task> task;
  flatbuffers::Offset<fb::Adapter> adapter;
};
mlir::FailureOr<Header> emitHeader(Context &context);

// Each emits one table of the root and fills the context's index of it. The
// tables that one refers to come before it.
Vector<flatbuffers::Offset<fb::Allocation>> emitAllocations(Context &context);
mlir::FailureOr<Vector<flatbuffers::Offset<fb::Constant>>>
emitConstants(Context &context);
Vector<flatbuffers::Offset<fb::Tensor>> emitTensors(Context &context);
Vector<flatbuffers::Offset<fb::CodeObject>> emitCodeObjects(Context &context);
mlir::FailureOr<Vector<flatbuffers::Offset<fb::Kernel>>>
emitKernels(Context &context);
mlir::FailureOr<Vector<flatbuffers::Offset<fb::Program>>>
emitPrograms(Context &context);

} // namespace llamac::emit
