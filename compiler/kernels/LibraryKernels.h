//===- LibraryKernels.h - Hand-written CUDA kernels -------------*- C++ -*-===//
//
// The kernels of this folder, which nvcc compiles when llamac is built: how to
// launch them, and their code to carry in a plan. No CUDA header is needed, and
// without nvcc everything but libraryCode works.
//
// A launch passes one pointer for each of `reads`, then of `writes`, then the
// scalars as i64. Launches of one list run one after another. In a cubin for
// sm_90 and later these kernels begin with griddepcontrol.wait, so a plan may
// mark their launches programmatic; in PTX they do not.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamac {

enum class LibraryType { F32, BF16 };

/// What a pointer parameter is. Delta is scratch, f32 [T, heads].
enum class LibraryBuffer {
  Q,
  K,
  V,
  CuSeqlens,
  Out,
  Lse,
  Dout,
  Dq,
  Dk,
  Dv,
  Delta,
  Params,
  FoldTable,
  Weights,
  GemmA,
  GemmB,
  GemmD,
  Gradients,
  TripletTable,
  Grams,
  Norms,
  Sensitivity,
  Uncertainty,
  Allocation,
  Scores,
  Kept,
  NewGradients, // the same memory as Gradients, Params and Kept
  NewParams,
  NewKept
};

/// One launch. Threads and blocks are counts; sharedBytes is dynamic shared
/// memory and may be more than the 48 KiB that need no function attribute.
struct LibraryLaunch {
  std::string module; // for libraryCode
  std::string symbol;
  std::array<uint32_t, 3> grid, block;
  uint32_t sharedBytes;
  std::vector<LibraryBuffer> reads, writes;
  std::vector<int64_t> scalars;
};

/// Elements from row to row. out, dout, dq, dk and dv are used where the op has
/// them.
struct AttentionPitches {
  int64_t q, k, v, out, dout, dq, dk, dv;
};

/// Which bf16 kernels: Fastest by shape and architecture, or these wherever
/// they can run, for tests and benches. Tiled: mma.sync, any length; Short: a
/// sequence a block, at most 128 tokens a sequence; Hopper: wgmma.
enum class AttentionVariant { Fastest, Tiled, Short, Hopper };

/// llm.attention or llm.attention_grad over T = `tokens` rows in B =
/// `sequences` packed sequences of at most `maxLength` tokens each.
struct AttentionShape {
  LibraryType type;
  int64_t headDim, heads, kvHeads;
  int64_t tokens, sequences;
  int64_t maxLength; // a longer sequence gives wrong results
  AttentionPitches pitches;
  float scale; // > 0
  AttentionVariant variant = AttentionVariant::Fastest;
};

/// Launches of the forward kernel, or none if the shape is impossible: head
/// size over 256, heads no multiple of kv_heads, more than 65535 tiles, a scale
/// that is not positive. `arch` as in libraryCode: what the plan will run on.
/// The bf16 tensor core kernels need head size 64 or 128, 16-byte aligned
/// buffers and pitches that are multiples of 8; for other head sizes and
/// pitches there is a slow kernel.
std::optional<std::vector<LibraryLaunch>>
attentionForwardLaunches(const AttentionShape &shape, std::string_view arch,
                         bool ptx);

/// The same for the gradient. Deterministic: equal inputs give equal bytes.
std::optional<std::vector<LibraryLaunch>>
attentionGradLaunches(const AttentionShape &shape, std::string_view arch,
                      bool ptx);

/// Bytes of Delta that these launches need, 0 if none.
int64_t attentionDeltaBytes(const std::vector<LibraryLaunch> &launches,
                            const AttentionShape &shape);

/// A row of fold_factors' table; elements of the weights are counted from the
/// base of their allocation. See compiler/kernels/FoldPlace.h.
struct FoldEntry {
  int64_t first, count, columns, target, pitch;
  float scale;
  int64_t scales = -1;
};

/// The table's i64 values, [entries, 7], sorted by `first`.
std::vector<int64_t> foldTable(std::vector<FoldEntry> entries);

/// fold_factors over `rows` rows of 1024 parameters and `segments` >= 1 rows of
/// the table, into weights of `type`.
LibraryLaunch foldLaunch(LibraryType type, int64_t rows, int64_t segments);

/// The code of a module: a cubin for `arch` or, with `ptx`, PTX that drivers
/// compile for compute capability 8.0 and later (then `arch` only says where
/// it will run). None if there is no such code: an architecture that was not
/// built, an unknown module, or llamac was built without nvcc.
std::optional<std::string_view> libraryCode(std::string_view module,
                                            std::string_view arch, bool ptx);

} // namespace llamac
