//===- FoldPlace.h - Where adapter factors go in folded weights -*- C++ -*-===//
//
// Index arithmetic of fold_factors, shared by the kernel and a test that runs
// without a GPU (test/compiler/kernels/FoldPlaceTest.cpp).
//
// The table has a row of seven i64 for each segment, sorted by the first:
//   first    its first element in the flat parameters, a multiple of 16
//   count    its elements; gaps between segments are padding
//   columns  its columns: element e is row e / columns, column e % columns
//   target   element of the weights where its row 0 goes
//   pitch    elements from row to row there
//   scale    bits of a float, in the low half
//   scales   first of the parameters that scale its rows, one each, or -1
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/AttentionPlace.h"

#include <cstdint>

namespace llamac::kernels {

constexpr int kFoldFields = 7;
constexpr int kFoldRow = 1024; // elements in a row of the flat buffer
constexpr int kFoldRows = 4;   // rows of a block

struct FoldSegment {
  int64_t first, count, columns, target, pitch, scaleBits, scales;
};

LLAMAC_HOST_DEVICE inline FoldSegment foldSegment(const int64_t *table,
                                                  int64_t index) {
  const int64_t *row = table + index * kFoldFields;
  return {row[0], row[1], row[2], row[3], row[4], row[5], row[6]};
}

/// The element of the weights for element `e` < count of a segment.
LLAMAC_HOST_DEVICE inline int64_t foldTarget(const FoldSegment &segment,
                                             int64_t e) {
  uint32_t row = uint32_t(e) / uint32_t(segment.columns);
  uint32_t column = uint32_t(e) - row * uint32_t(segment.columns);
  return segment.target + row * segment.pitch + column;
}

/// Whether 8 elements of the segment that begin at a multiple of 8 stand side
/// by side in the weights, at a multiple of 8.
LLAMAC_HOST_DEVICE inline bool foldsByEight(const FoldSegment &segment) {
  return ((segment.columns | segment.target | segment.pitch) & 7) == 0;
}

/// Bounds of a search for the last segment that begins at or before an element,
/// in rounds of 32 probes: the answer is in [low, low + size).
struct FoldSearch {
  int64_t low, size;
};

/// Width of the parts of a round.
LLAMAC_HOST_DEVICE inline int64_t foldPart(const FoldSearch &search) {
  return (search.size + 31) / 32;
}
/// The segment that probe `lane` looks at, or -1 beyond the end.
LLAMAC_HOST_DEVICE inline int64_t foldProbe(const FoldSearch &search,
                                            int lane) {
  int64_t offset = lane * foldPart(search);
  return offset < search.size ? search.low + offset : -1;
}
/// The part whose first segment is the last of `before` probes that begin at or
/// before the element (before >= 1).
LLAMAC_HOST_DEVICE inline FoldSearch foldNarrow(const FoldSearch &search,
                                                int before) {
  int64_t part = foldPart(search), offset = (before - 1) * part;
  int64_t rest = search.size - offset;
  return {search.low + offset, part < rest ? part : rest};
}

} // namespace llamac::kernels
