//===- VerifyContext.h - Shared by the parts of the verifier ---*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"
#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamarun::verify {

/// Limits that no real plan comes near. They keep arithmetic far from overflow
/// and a message readable.
inline constexpr std::uint64_t kMaxBytes = 1ull << 47; // of one plan's memory
inline constexpr std::uint64_t kMaxRank = 8;
inline constexpr std::uint64_t kMaxName = 1024;
inline constexpr std::uint64_t kMaxStreams = 64;
inline constexpr std::uint64_t kMaxWaits = 256;     // one per stream is enough
inline constexpr std::uint64_t kMaxArguments = 500; // CUDA: 4 KB of parameters
inline constexpr std::uint64_t kMaxInterleaved = 1024; // columns of a matrix
inline constexpr std::uint64_t kMaxItems = (1ull << 31) - 1;

/// A buffer after its own checks: where it is, all in range. With a pitch it is
/// rows of `row` bytes, one every `pitch` bytes, and `end` is the last row's.
struct Range {
  std::uint64_t allocation = 0;
  std::uint64_t begin = 0; ///< bytes in the allocation
  std::uint64_t end = 0;
  std::uint64_t row = 0;   ///< bytes; 0 without a pitch
  std::uint64_t pitch = 0; ///< bytes; 0 without a pitch

  /// True if they share a byte. Two pitched ranges of different pitch count as
  /// overlapping as soon as their extents do.
  bool overlaps(const Range &o) const;
};

/// The plan, what is known of it so far, and where in it we are.
struct Context {
  const fb::Plan &plan;
  const std::string &file;
  std::vector<Range> ranges;         ///< of each buffer, pitched or not
  std::vector<std::uint64_t> counts; ///< elements of each buffer
  std::uint64_t gridSize = 1;
  std::string where; ///< "program 'train_64', step 3 (gemm, loc): "

  template <typename... Parts>
  [[noreturn]] void reject(const Parts &...parts) const {
    fail(ExitCode::BadInput, file, ": bad plan: ", where, parts...);
  }
  template <typename... Parts>
  void require(bool condition, const Parts &...parts) const {
    if (!condition)
      reject(parts...);
  }

  const fb::Buffer &buffer(std::uint64_t i) const {
    return *plan.buffers()->Get(static_cast<flatbuffers::uoffset_t>(i));
  }
  fb::Category categoryOf(std::uint64_t buffer) const {
    return plan.allocations()
        ->Get(static_cast<flatbuffers::uoffset_t>(ranges[buffer].allocation))
        ->category();
  }
  /// Checks an index into the buffer table.
  void checkBuffer(std::uint64_t index, const char *what) const {
    require(index < ranges.size(), what, " is buffer ", index, " of ",
            ranges.size());
  }
};

/// A present, short, printable string. Returns it.
std::string_view checkName(const Context &context,
                           const flatbuffers::String *name, const char *what);
/// A string that may be missing or empty but is otherwise as checkName's.
void checkText(const Context &context, const flatbuffers::String *text,
               const char *what);
/// The elements of a vector of 64-bit integers lie at multiples of 8 bytes:
/// FlatBuffers' verifier (2.0) looks only at the 32-bit length before them.
template <typename T>
void checkAligned(const Context &context, const flatbuffers::Vector<T> *vector,
                  const char *what) {
  context.require(!vector ||
                      reinterpret_cast<std::uintptr_t>(vector->Data()) % 8 == 0,
                  what, " is misaligned in the file");
}

/// Refuses a buffer whose rows lie apart.
void checkPacked(const Context &context, std::uint64_t buffer,
                 const char *what);

/// A buffer that a step may write to.
void checkWritable(const Context &context, std::uint64_t index,
                   const char *what);

/// "[2, 3]"
std::string show(const flatbuffers::Vector<std::uint64_t> *shape);

// Each part assumes that the parts before it have passed.
void checkHeader(Context &context);  ///< target, grid, model, task, adapter
void checkMemory(Context &context);  ///< allocations, buffers; fills ranges
void checkTensors(Context &context); ///< tensors, constants
void checkAdapter(const Context &context);  ///< part of checkHeader
void checkAdapterTensors(Context &context); ///< AdaLoRA's factors and state
void checkCode(Context &context);     ///< code objects, kernels, locations
void checkPrograms(Context &context); ///< bindings and steps
void checkBindings(Context &context, const fb::Program &program);
void checkSteps(Context &context, const fb::Program &program);
void checkCollective(const Context &context, const fb::Collective &op);
/// Order of collectives between programs.
void checkCollectives(Context &context);

} // namespace llamarun::verify
