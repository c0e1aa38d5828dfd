//===- Plan.h - A loaded and verified plan ---------------------*- C++ -*-===//
#pragma once

#include "runtime/plan/plan_generated.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// The generated FlatBuffers tables of runtime/plan/plan.fbs.
namespace fb = ::llama::plan;

/// An immutable plan. Whoever holds one may trust every index, offset, shape
/// and string in it: load() and fromBytes() verify all of it first (Verify.h).
class Plan {
public:
  /// Reads and verifies a plan file. \throws Error(BadInput) that names `path`.
  static std::shared_ptr<const Plan> load(const std::string &path);

  /// As load(), from the bytes of a plan file (header included); `name` stands
  /// for the path in messages.
  static std::shared_ptr<const Plan> fromBytes(std::span<const std::byte> file,
                                               const std::string &name);

  const std::string &path() const { return file; }
  /// XXH3-128 of the payload in hexadecimal: the identity of the plan.
  const std::string &hash() const { return payloadHash; }

  const fb::Plan &root() const { return *table; }
  const fb::Target &target() const { return *table->target(); }
  const fb::Model &model() const { return *table->model(); }
  const fb::Task &task() const { return *table->task(); }
  const fb::Adapter &adapter() const { return *table->adapter(); }

  // Number of entries in, and entry `i` of, the root's vectors; a missing
  // vector is empty. No range checks beyond FlatBuffers' asserts.
  std::size_t allocationCount() const;
  std::size_t bufferCount() const;
  std::size_t tensorCount() const;
  std::size_t programCount() const;
  const fb::Allocation &allocation(std::size_t i) const;
  const fb::Buffer &buffer(std::size_t i) const;
  const fb::Tensor &tensor(std::size_t i) const;
  const fb::Program &program(std::size_t i) const;

  /// Elements of buffer `i`, and their bytes one after another.
  std::uint64_t elements(std::size_t i) const;
  std::uint64_t bytes(std::size_t i) const;

  /// How the elements of a buffer lie: `rows` times `rowBytes`, one row every
  /// `pitch` bytes. Without a pitch that is one row.
  struct Rows {
    std::uint64_t rows = 1, rowBytes = 0, pitch = 0;
    /// From the first byte to the last, gaps included.
    std::uint64_t span() const { return (rows - 1) * pitch + rowBytes; }
  };
  Rows rows(std::size_t i) const;

  /// Devices in the grid: 1 without a grid.
  std::uint64_t gridSize() const;

  /// The tensor of that role and name, or null; in a plan that changes layouts,
  /// that part of it on that side.
  const fb::Tensor *findTensor(fb::Role role, std::string_view name,
                               fb::Side side = fb::Side::Own,
                               std::uint32_t part = 0) const;

  /// The smallest program of `kind` that takes `tokens` packed tokens of
  /// `sequences` sequences, or null.
  const fb::Program *find(fb::ProgramKind kind, std::uint64_t tokens,
                          std::uint64_t sequences = 1) const;

private:
  struct AlignedDelete {
    void operator()(std::byte *p) const;
  };
  Plan() = default;
  void adopt(std::unique_ptr<std::byte, AlignedDelete> bytes, std::size_t size);
  static std::unique_ptr<std::byte, AlignedDelete> allocate(std::size_t size);

  std::string file;
  std::string payloadHash;
  // Read, not mapped: a file that shrinks under a map is a SIGBUS. 64-byte
  // aligned, so that the payload (at 64) keeps FlatBuffers' alignment.
  std::unique_ptr<std::byte, AlignedDelete> storage;
  const fb::Plan *table = nullptr;
};

/// Bytes of one element.
std::uint64_t sizeOf(fb::DType dtype);
/// "f32", "bf16", ...
const char *nameOf(fb::DType dtype);
/// "weights", "optimizer state", ...
const char *nameOf(fb::Category category);
/// "train", "accumulate", "evaluate", "reshard", "gradient", "probe"
const char *nameOf(fb::ProgramKind kind);
/// "weight", "first moment", ...
const char *nameOf(fb::Role role);
/// "gemm", "launch", ...
const char *nameOf(fb::Operation operation);

inline constexpr std::size_t kCategories =
    static_cast<std::size_t>(fb::Category::MAX) + 1;

inline std::string_view viewOf(const flatbuffers::String *s) {
  return s ? std::string_view(s->c_str(), s->size()) : std::string_view();
}
template <typename V> std::size_t sizeOf(const V *vector) {
  return vector ? vector->size() : 0;
}

} // namespace llamarun
