//===- AttentionPlain.cu - Attention for any head size --------------------===//
//
// The kernels of AttentionForward.cu and AttentionBackward.cu without tensor
// cores, for f32, and for bf16 with head sizes they do not do: all arithmetic
// in f32 (fused multiply-add, accurate exp and log), head size up to 256, any
// pitch and alignment.
//   attention_forward_plain  reads q, k, v, cu_seqlens; writes out, lse
//   attention_grad_q_plain   reads q, k, v, cu_seqlens, out, lse, dout; writes
//                            dq, delta
//   attention_grad_kv_plain  reads q, k, v, cu_seqlens, lse, dout, delta;
//                            writes dk, dv
//   scalars as theirs, and head_dim after them
//   grid (ceil(T / 4), heads, or kv_heads for grad_kv), 128 threads
// A warp has one row of one head: lanes are 32 keys (queries for grad_kv) while
// it computes scores and then columns lane, lane + 32, .. while it adds up.
// Reference: test/compiler/kernels/AttentionReference.h. Test:
// test/gpu/attention.cpp. Needs sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

constexpr int kWarps = 4, kMaxD = 256, kColumns = kMaxD / 32;
constexpr unsigned kAll = 0xffffffffu;

__device__ inline float toFloat(float x) { return x; }
using llamac::kernels::toFloat;
__device__ inline void store(float *target, float x) { *target = x; }
__device__ inline void store(Bf16 *target, float x) {
  target->bits = uint16_t(packBf16(x, 0));
}

__device__ inline float warpSum(float x) {
  for (int step = 16; step > 0; step /= 2)
    x += __shfl_xor_sync(kAll, x, step);
  return x;
}
__device__ inline float warpMax(float x) {
  for (int step = 16; step > 0; step /= 2)
    x = fmaxf(x, __shfl_xor_sync(kAll, x, step));
  return x;
}

/// Row of the warp and the rows of its sequence; padding has padding = true.
struct Row {
  int row, start, end;
  bool padding;
};
__device__ inline Row rowOf(const int32_t *cuSeqlens, int sequences, int row) {
  int lane = threadIdx.x % 32, found = -1;
  for (int base = 0; base <= sequences; base += 32) {
    int s = base + lane;
    found += __popc(__ballot_sync(kAll, s <= sequences && cuSeqlens[s] <= row));
  }
  if (found == sequences)
    return {row, 0, 0, true};
  return {row, cuSeqlens[found], cuSeqlens[found + 1], false};
}

/// A row into shared memory, as floats.
template <typename T>
__device__ inline void keep(float *target, const T *source, int headDim) {
  for (int d = threadIdx.x % 32; d < headDim; d += 32)
    target[d] = toFloat(source[d]);
  __syncwarp();
}
template <typename T>
__device__ inline float dot(const float *a, const T *b, int headDim) {
  float sum = 0;
  for (int d = 0; d < headDim; ++d)
    sum = fmaf(a[d], toFloat(b[d]), sum);
  return sum;
}
/// sums += weight of lane j times row j of `source`, j < count.
template <typename T>
__device__ inline void addRows(float (&sums)[kColumns], float weight,
                               const T *source, int64_t pitch, int count,
                               int headDim) {
  int lane = threadIdx.x % 32;
  for (int j = 0; j < count; ++j) {
    float w = __shfl_sync(kAll, weight, j);
    const T *row = source + j * pitch;
#pragma unroll
    for (int c = 0; c < kColumns; ++c)
      if (lane + 32 * c < headDim)
        sums[c] = fmaf(w, toFloat(row[lane + 32 * c]), sums[c]);
  }
}
template <typename T>
__device__ inline void storeColumns(T *target, const float (&sums)[kColumns],
                                    float factor, int headDim) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int c = 0; c < kColumns; ++c)
    if (lane + 32 * c < headDim)
      store(target + lane + 32 * c, sums[c] * factor);
}

template <typename T>
__device__ inline void
forward(const T *q, const T *k, const T *v, const int32_t *cuSeqlens, T *out,
        float *lse, int tokens, int sequences, int heads, int kvHeads,
        int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchOut,
        float scale, int headDim) {
  __shared__ float kept[kWarps][kMaxD];
  waitForEarlierWork();
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, head = blockIdx.y;
  int column = head / (heads / kvHeads) * headDim;
  int index = blockIdx.x * kWarps + warp;
  if (index >= tokens)
    return;
  Row row = rowOf(cuSeqlens, sequences, index);
  float sums[kColumns] = {}, max = -INFINITY, sum = 0;
  if (!row.padding)
    keep(kept[warp], q + index * pitchQ + head * headDim, headDim);
  for (int from = row.start; !row.padding && from <= index; from += 32) {
    int key = from + lane;
    float s = -INFINITY;
    if (key <= index)
      s = scale * dot(kept[warp], k + key * pitchK + column, headDim);
    float high = fmaxf(max, warpMax(s)), shrink = expf(max - high);
    float p = expf(s - high);
    sum = sum * shrink + warpSum(p);
    max = high;
#pragma unroll
    for (int c = 0; c < kColumns; ++c)
      sums[c] *= shrink;
    addRows(sums, p, v + from * pitchV + column, pitchV,
            min(32, index - from + 1), headDim);
  }
  storeColumns(out + index * pitchOut + head * headDim, sums,
               row.padding ? 0 : 1 / sum, headDim);
  if (lane == 0)
    lse[int64_t(index) * heads + head] = row.padding ? 0 : max + logf(sum);
}

template <typename T>
__device__ inline void
gradQ(const T *q, const T *k, const T *v, const int32_t *cuSeqlens,
      const T *out, const float *lse, const T *dout, T *dq, float *delta,
      int tokens, int sequences, int heads, int kvHeads, int64_t pitchQ,
      int64_t pitchK, int64_t pitchV, int64_t pitchOut, int64_t pitchDout,
      int64_t pitchDq, float scale, int headDim) {
  __shared__ float kept[kWarps][2][kMaxD];
  waitForEarlierWork();
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, head = blockIdx.y;
  int column = head / (heads / kvHeads) * headDim;
  int index = blockIdx.x * kWarps + warp;
  if (index >= tokens)
    return;
  Row row = rowOf(cuSeqlens, sequences, index);
  float sums[kColumns] = {}, rowDelta = 0, log = 0;
  if (!row.padding) {
    const T *doutRow = dout + index * pitchDout + head * headDim;
    keep(kept[warp][0], q + index * pitchQ + head * headDim, headDim);
    keep(kept[warp][1], doutRow, headDim);
    const T *outRow = out + index * pitchOut + head * headDim;
    for (int d = lane; d < headDim; d += 32)
      rowDelta = fmaf(toFloat(outRow[d]), kept[warp][1][d], rowDelta);
    rowDelta = warpSum(rowDelta);
    log = lse[int64_t(index) * heads + head];
  }
  for (int from = row.start; !row.padding && from <= index; from += 32) {
    int key = from + lane;
    float ds = 0;
    if (key <= index) {
      float s = dot(kept[warp][0], k + key * pitchK + column, headDim);
      float dp = dot(kept[warp][1], v + key * pitchV + column, headDim);
      ds = expf(scale * s - log) * (dp - rowDelta);
    }
    addRows(sums, ds, k + from * pitchK + column, pitchK,
            min(32, index - from + 1), headDim);
  }
  storeColumns(dq + index * pitchDq + head * headDim, sums, scale, headDim);
  if (lane == 0)
    delta[int64_t(index) * heads + head] = rowDelta;
}

template <typename T>
__device__ inline void
gradKv(const T *q, const T *k, const T *v, const int32_t *cuSeqlens,
       const float *lse, const T *dout, const float *delta, T *dk, T *dv,
       int tokens, int sequences, int heads, int kvHeads, int64_t pitchQ,
       int64_t pitchK, int64_t pitchV, int64_t pitchDout, int64_t pitchDk,
       int64_t pitchDv, float scale, int headDim) {
  __shared__ float kept[kWarps][2][kMaxD];
  waitForEarlierWork();
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, kvHead = blockIdx.y;
  int group = heads / kvHeads, index = blockIdx.x * kWarps + warp;
  if (index >= tokens)
    return;
  Row row = rowOf(cuSeqlens, sequences, index);
  float sumsK[kColumns] = {}, sumsV[kColumns] = {};
  if (!row.padding) {
    keep(kept[warp][0], k + index * pitchK + kvHead * headDim, headDim);
    keep(kept[warp][1], v + index * pitchV + kvHead * headDim, headDim);
  }
  for (int head = kvHead * group; head < (kvHead + 1) * group; ++head) {
    int column = head * headDim;
    for (int from = index; !row.padding && from < row.end; from += 32) {
      int64_t query = from + lane;
      float p = 0, ds = 0;
      if (query < row.end) {
        float s = dot(kept[warp][0], q + query * pitchQ + column, headDim);
        float dp =
            dot(kept[warp][1], dout + query * pitchDout + column, headDim);
        p = expf(scale * s - lse[query * heads + head]);
        ds = p * (dp - delta[query * heads + head]);
      }
      int count = min(32, row.end - from);
      addRows(sumsK, ds, q + from * pitchQ + column, pitchQ, count, headDim);
      addRows(sumsV, p, dout + from * pitchDout + column, pitchDout, count,
              headDim);
    }
  }
  storeColumns(dk + index * pitchDk + kvHead * headDim, sumsK, scale, headDim);
  storeColumns(dv + index * pitchDv + kvHead * headDim, sumsV, 1, headDim);
}

} // namespace

#define LLAMAC_PLAIN(suffix, T)                                                \
  extern "C" __global__ void __launch_bounds__(32 * kWarps)                    \
      attention_forward_plain_##suffix(                                        \
          const T *q, const T *k, const T *v, const int32_t *cu, T *out,       \
          float *lse, int64_t tokens, int64_t sequences, int64_t heads,        \
          int64_t kvHeads, int64_t pitchQ, int64_t pitchK, int64_t pitchV,     \
          int64_t pitchOut, int64_t scaleBits, int64_t headDim) {              \
    forward<T>(q, k, v, cu, out, lse, int(tokens), int(sequences), int(heads), \
               int(kvHeads), pitchQ, pitchK, pitchV, pitchOut,                 \
               __uint_as_float(uint32_t(scaleBits)), int(headDim));            \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(32 * kWarps)                    \
      attention_grad_q_plain_##suffix(                                         \
          const T *q, const T *k, const T *v, const int32_t *cu, const T *out, \
          const float *lse, const T *dout, T *dq, float *delta,                \
          int64_t tokens, int64_t sequences, int64_t heads, int64_t kvHeads,   \
          int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchOut,    \
          int64_t pitchDout, int64_t pitchDq, int64_t scaleBits,               \
          int64_t headDim) {                                                   \
    gradQ<T>(q, k, v, cu, out, lse, dout, dq, delta, int(tokens),              \
             int(sequences), int(heads), int(kvHeads), pitchQ, pitchK, pitchV, \
             pitchOut, pitchDout, pitchDq,                                     \
             __uint_as_float(uint32_t(scaleBits)), int(headDim));              \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(32 * kWarps)                    \
      attention_grad_kv_plain_##suffix(                                        \
          const T *q, const T *k, const T *v, const int32_t *cu,               \
          const float *lse, const T *dout, const float *delta, T *dk, T *dv,   \
          int64_t tokens, int64_t sequences, int64_t heads, int64_t kvHeads,   \
          int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchDout,   \
          int64_t pitchDk, int64_t pitchDv, int64_t scaleBits,                 \
          int64_t headDim) {                                                   \
    gradKv<T>(q, k, v, cu, lse, dout, delta, dk, dv, int(tokens),              \
              int(sequences), int(heads), int(kvHeads), pitchQ, pitchK,        \
              pitchV, pitchDout, pitchDk, pitchDv,                             \
              __uint_as_float(uint32_t(scaleBits)), int(headDim));             \
  }
LLAMAC_PLAIN(f32, float)
LLAMAC_PLAIN(bf16, Bf16)
