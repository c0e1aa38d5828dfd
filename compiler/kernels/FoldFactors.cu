//===- FoldFactors.cu - Fresh adapter factors into folded weights ---------===//
//
// After an optimizer step: every adapter factor, f32 in the flat parameters,
// goes times its scale and rounded into its place in the stored weights
// [[W, sB],[A, 0]].
//   reads  params f32 [R, 1024]; table i64 [S, 7], see FoldPlace.h
//   writes weights bf16 or f32: the base of the allocation, 16-byte aligned;
//          only the elements that the table names
//   scalars S, R
//   grid ceil(R / 4), 128 threads: a block has four rows of params, a thread 8
//          elements of each
// A segment has less than 2^31 elements. Full 16-byte stores where a segment's
// columns, target and pitch are multiples of 8.
// Reference and tests: test/compiler/kernels/FoldPlaceTest.cpp (places),
// test/gpu/attention.cpp (kernel). Needs sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/FoldPlace.h"
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

__device__ inline void storeEight(Bf16 *target, const float (&x)[8]) {
  *reinterpret_cast<uint4 *>(target) =
      uint4{packBf16(x[0], x[1]), packBf16(x[2], x[3]), packBf16(x[4], x[5]),
            packBf16(x[6], x[7])};
}
__device__ inline void storeEight(float *target, const float (&x)[8]) {
  reinterpret_cast<float4 *>(target)[0] = {x[0], x[1], x[2], x[3]};
  reinterpret_cast<float4 *>(target)[1] = {x[4], x[5], x[6], x[7]};
}
__device__ inline void storeOne(Bf16 *target, float x) {
  target->bits = uint16_t(packBf16(x, 0));
}
__device__ inline void storeOne(float *target, float x) { *target = x; }

/// Eight elements from `element` on, x, in the segment at `index` or a later
/// one; returns which.
template <typename T>
__device__ inline int64_t
place(T *weights, const float *params, const int64_t *table, int64_t segments,
      int64_t index, int64_t element, float4 low, float4 high) {
  while (index + 1 < segments && table[(index + 1) * kFoldFields] <= element)
    ++index;
  FoldSegment segment = foldSegment(table, index);
  int64_t e = element - segment.first, rest = segment.count - e;
  if (e < 0 || rest <= 0)
    return index;
  float scale = __uint_as_float(uint32_t(segment.scaleBits));
  float x[8] = {low.x * scale,  low.y * scale,  low.z * scale,  low.w * scale,
                high.x * scale, high.y * scale, high.z * scale, high.w * scale};
  if (segment.scales >= 0) {
    uint32_t columns = uint32_t(segment.columns);
    bool oneRow = segment.columns % 8 == 0;
    float first = params[segment.scales + uint32_t(e) / columns];
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (oneRow)
        x[i] *= first;
      else if (i < rest)
        x[i] *= params[segment.scales + uint32_t(e + i) / columns];
  }
  if (rest >= 8 && foldsByEight(segment)) {
    storeEight(weights + foldTarget(segment, e), x);
    return index;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
    if (i < rest)
      storeOne(weights + foldTarget(segment, e + i), x[i]);
  return index;
}

template <typename T>
__device__ inline void fold(const float *params, const int64_t *table,
                            T *weights, int64_t segments, int64_t rows) {
  waitForEarlierWork();
  int lane = threadIdx.x % 32;
  int64_t first = int64_t(blockIdx.x) * kFoldRows * kFoldRow;
  int64_t element = first + threadIdx.x * 8, end = rows * kFoldRow;
  float4 low[kFoldRows], high[kFoldRows];
#pragma unroll
  for (int i = 0; i < kFoldRows; ++i)
    if (element + i * kFoldRow < end) {
      auto from =
          reinterpret_cast<const float4 *>(params + element + i * kFoldRow);
      low[i] = __ldcs(from);
      high[i] = __ldcs(from + 1);
    }

  // The last segment that begins at or before the block's first element, or the
  // first of all; threads go on from it.
  FoldSearch search{0, segments};
  while (search.size > 1) {
    int64_t probe = foldProbe(search, lane);
    bool before = probe >= 0 && table[probe * kFoldFields] <= first;
    int count = __popc(__ballot_sync(0xffffffffu, before));
    search = foldNarrow(search, count > 0 ? count : 1);
  }
  int64_t index = search.low;
#pragma unroll
  for (int i = 0; i < kFoldRows; ++i)
    if (element + i * kFoldRow < end)
      index = place(weights, params, table, segments, index,
                    element + i * kFoldRow, low[i], high[i]);
}

} // namespace

extern "C" __global__ void __launch_bounds__(128)
    fold_factors_bf16(const float *params, const int64_t *table, Bf16 *weights,
                      int64_t segments, int64_t rows) {
  fold(params, table, weights, segments, rows);
}
extern "C" __global__ void __launch_bounds__(128)
    fold_factors_f32(const float *params, const int64_t *table, float *weights,
                     int64_t segments, int64_t rows) {
  fold(params, table, weights, segments, rows);
}
