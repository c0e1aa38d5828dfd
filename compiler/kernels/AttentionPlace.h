//===- AttentionPlace.h - Which block does which rows -----------*- C++ -*-===//
//
// Index arithmetic of the attention kernels, shared by the device code, the
// host code that sizes grids, and a test that runs without a GPU.
//
// Sequence s of a packed batch is rows cu_seqlens[s] .. cu_seqlens[s+1]; rows
// cu_seqlens[B] .. T are padding and count here as sequence B. A grid is fixed
// when a plan is compiled, lengths are not, so tiles are numbered by slots:
// sequence s has the slots from start / rows + s on. Because
//   ceil((y - x) / rows) <= floor(y / rows) - floor(x / rows) + 1,
// no two sequences share one, and finding the sequence of a slot takes one
// comparison for each sequence and no prefix sum. Some slots stay empty.
//
// Test: test/compiler/kernels/AttentionPlaceTest.cpp.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define LLAMAC_HOST_DEVICE __host__ __device__
#else
#define LLAMAC_HOST_DEVICE
#endif

namespace llamac::kernels {

/// Where a tile is. It has rows row .. min(row + tile rows, length) of its
/// sequence, and is empty if row >= length.
struct Place {
  int sequence; // B: the padding rows
  int start;    // the sequence's first row in the batch
  int length;   // the sequence's rows
  int row;      // the tile's first row, counted from start
};

/// The first slot of the sequence that begins at row `start`.
LLAMAC_HOST_DEVICE inline int firstSlot(int start, int sequence, int rows) {
  return start / rows + sequence;
}

/// Slots of `tokens` rows in `sequences` sequences of any lengths.
LLAMAC_HOST_DEVICE inline int64_t slotCount(int64_t tokens, int64_t sequences,
                                            int64_t rows) {
  return tokens / rows + sequences + 1;
}

/// The tile at `slot` of `sequence`, which is rows [start, end).
LLAMAC_HOST_DEVICE inline Place placeIn(int slot, int sequence, int start,
                                        int end, int rows) {
  return {sequence, start, end - start,
          (slot - firstSlot(start, sequence, rows)) * rows};
}

/// The sequence that has `slot`: the last whose first slot is not after it.
/// Kernels ask a warp's lanes at once; this is the same question in a loop.
LLAMAC_HOST_DEVICE inline Place placeOfSlot(const int32_t *cuSeqlens,
                                            int sequences, int tokens, int rows,
                                            int slot) {
  int found = 0;
  for (int s = 1; s <= sequences; ++s)
    found += firstSlot(cuSeqlens[s], s, rows) <= slot;
  int end = found == sequences ? tokens : cuSeqlens[found + 1];
  return placeIn(slot, found, cuSeqlens[found], end, rows);
}

/// Query heads that share a key head stand together: packed row r is head
/// r % group of token r / group, for group <= 64 and r < 128 * group.
struct PackedRows {
  int group;
  uint32_t reciprocal; // 2^20 / group, rounded up

  LLAMAC_HOST_DEVICE explicit PackedRows(int group)
      : group(group), reciprocal(((1u << 20) + group - 1) / group) {}
  LLAMAC_HOST_DEVICE int token(int row) const {
    return int(uint32_t(row) * reciprocal >> 20);
  }
  /// Elements from the group's first head of token 0 to the row, heads
  /// `headDim` and tokens `pitch` apart.
  LLAMAC_HOST_DEVICE int64_t offset(int row, int64_t pitch, int headDim) const {
    int t = token(row);
    return t * pitch + (row - t * group) * headDim;
  }
  /// Groups of 16 keys that rows row .. row+15 see, of `length` tokens.
  LLAMAC_HOST_DEVICE int keyGroups(int row, int length) const {
    int last = token(row + 15);
    return (last < length ? last : length - 1) / 16 + 1;
  }
};

} // namespace llamac::kernels
