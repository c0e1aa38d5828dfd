//===- AttentionForward.cu - Causal attention, bf16 -----------------------===//
//
// out = softmax(scale q k^T) v within each packed sequence, earlier keys only.
//   reads  q [T, heads * D], k, v [T, kv_heads * D] bf16, rows pitch_* elements
//          apart (multiples of 8, bases aligned to 16 bytes), columns of head h
//          at h * D; cu_seqlens i32 [B + 1]
//   writes out [T, heads * D] bf16; lse f32 [T, heads], natural logarithm of
//          each softmax's denominator. Rows from cu_seqlens[B] on become 0.
//   scalars T, B, heads, kv_heads, pitch_q, pitch_k, pitch_v, pitch_out,
//          bits of the float scale (> 0)
//   grid (heads, slotCount(T, B, 64)), 128 threads; D is 64 or 128.
// A block does 64 rows of a sequence for one head, four warps 16 rows each; the
// keys come in tiles of 64 through a double buffer, the last tile, which has
// the diagonal, first. Softmax is online (FlashAttention-2, Dao 2023): scores
// and probabilities stay in registers. Last blocks of a sequence, which have
// the most keys, start first.
// Reference: test/compiler/kernels/AttentionReference.h. Test:
// test/gpu/attention.cpp. Needs sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

constexpr int kRows = 64, kThreads = 128;

/// State of a warp's 16 query rows.
template <int D> struct Rows {
  uint32_t q[D / 16][4];
  float out[D / 8][4] = {};
  float max[2], sum[2] = {0, 0};
};

/// One tile of keys. With `Diagonal` it begins at the block's own first row, so
/// the warp's rows see only its first `limit` groups of 16 keys.
template <int D, bool Diagonal>
__device__ inline void addKeys(Rows<D> &rows, uint32_t k, uint32_t v,
                               float scale2, int warp) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  float s[8][4] = {};
#pragma unroll
  for (int kk = 0; kk < D / 16; ++kk)
#pragma unroll
    for (int n = 0; n < 4; ++n)
      if (!Diagonal || n <= warp) {
        uint32_t b[4];
        loadMatrix4(b, chunkPair<kRows>(k + n * 2048, kk));
        multiplyAdd(s[2 * n], rows.q[kk], b[0], b[1]);
        multiplyAdd(s[2 * n + 1], rows.q[kk], b[2], b[3]);
      }
  if (Diagonal) {
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (n * 8 + 2 * t + (i & 1) > warp * 16 + g + 8 * (i >> 1))
          s[n][i] = -INFINITY;
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float high = rows.max[half];
#pragma unroll
    for (int n = 0; n < 8; ++n)
      high = fmaxf(high, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
    high = quadMax(high);
    float shrink = exp2Fast((rows.max[half] - high) * scale2);
    rows.max[half] = high;
    float sum = 0;
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        s[n][i] = exp2Fast(s[n][i] * scale2 - high * scale2);
        sum += s[n][i];
      }
    rows.sum[half] = rows.sum[half] * shrink + sum;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      rows.out[n][2 * half] *= shrink;
      rows.out[n][2 * half + 1] *= shrink;
    }
  }
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (!Diagonal || j <= warp) {
      uint32_t p[4];
      toA(p, s[2 * j], s[2 * j + 1]);
#pragma unroll
      for (int n = 0; n < D / 16; ++n) {
        uint32_t b[4];
        loadMatrix4Transposed(b, chunkPair<kRows>(v + j * 2048, n));
        multiplyAdd(rows.out[2 * n], p, b[0], b[1]);
        multiplyAdd(rows.out[2 * n + 1], p, b[2], b[3]);
      }
    }
}

template <int D>
__device__ inline void forward(const Bf16 *q, const Bf16 *k, const Bf16 *v,
                               const int32_t *cuSeqlens, Bf16 *out, float *lse,
                               int tokens, int sequences, int heads,
                               int kvHeads, int64_t pitchQ, int64_t pitchK,
                               int64_t pitchV, int64_t pitchOut, float scale) {
  constexpr uint32_t tile = kRows * D * 2;
  extern __shared__ __align__(1024) unsigned char shared[];
  waitForEarlierWork();
  int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  int head = blockIdx.x, kvHead = head / (heads / kvHeads);
  Place place = warpPlaceOfSlot(cuSeqlens, sequences, tokens, kRows,
                                gridDim.y - 1 - blockIdx.y);
  int valid = min(kRows, place.length - place.row);
  if (valid <= 0)
    return;
  int64_t first = place.start + place.row;
  out += first * pitchOut + head * D;
  lse += first * heads + head;
  if (place.sequence == sequences) {
    clearRows<D>(out, pitchOut, valid, thread, kThreads);
    for (int r = thread; r < valid; r += kThreads)
      lse[int64_t(r) * heads] = 0;
    return;
  }

  uint32_t tileQ = sharedAddress(shared), tileK = tileQ + tile,
           tileV = tileK + 2 * tile;
  k += place.start * pitchK + kvHead * D;
  v += place.start * pitchV + kvHead * D;
  auto load = [&](int row, int stage) {
    loadTile<kRows, D, kThreads>(tileK + stage * tile, k + row * pitchK, pitchK,
                                 place.length - row, thread);
    loadTile<kRows, D, kThreads>(tileV + stage * tile, v + row * pitchV, pitchV,
                                 place.length - row, thread);
    copyAsyncCommit();
  };
  loadTile<kRows, D, kThreads>(tileQ, q + first * pitchQ + head * D, pitchQ,
                               valid, thread);
  load(place.row, 0);

  Rows<D> rows;
  rows.max[0] = rows.max[1] = -INFINITY;
  float scale2 = scale * kLog2e;
  bool busy = warp * 16 < valid;
  auto next = [&](int row, int stage) {
    if (row > 0)
      load(row - kRows, stage ^ 1);
    else
      copyAsyncCommit();
    copyAsyncWait<1>();
    __syncthreads();
  };
  next(place.row, 0);
#pragma unroll
  for (int kk = 0; kk < D / 16; ++kk)
    loadMatrix4(rows.q[kk], chunkPair<kRows>(laneA(tileQ) + warp * 2048, kk));
  if (busy)
    addKeys<D, true>(rows, laneB(tileK), laneA(tileV), scale2, warp);
  for (int row = place.row - kRows, stage = 1; row >= 0;
       row -= kRows, stage ^= 1) {
    __syncthreads();
    next(row, stage);
    if (busy)
      addKeys<D, false>(rows, laneB(tileK) + stage * tile,
                        laneA(tileV) + stage * tile, scale2, warp);
  }
  if (!busy)
    return;
  float inverse[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = quadSum(rows.sum[half]);
    inverse[half] = 1 / sum;
    int row = warp * 16 + lane / 4 + 8 * half;
    if (lane % 4 == 0 && row < valid)
      lse[int64_t(row) * heads] = rows.max[half] * scale + kLn2 * __log2f(sum);
  }
  storeRows<kRows, D>(out + warp * 16 * pitchOut, pitchOut, valid - warp * 16,
                      tileQ, warp * 16, rows.out, inverse);
}

} // namespace

#define LLAMAC_FORWARD(name, D)                                                \
  extern "C" __global__ void __launch_bounds__(kThreads, 2)                    \
      name(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,     \
           Bf16 *out, float *lse, int64_t tokens, int64_t sequences,           \
           int64_t heads, int64_t kvHeads, int64_t pitchQ, int64_t pitchK,     \
           int64_t pitchV, int64_t pitchOut, int64_t scaleBits) {              \
    forward<D>(q, k, v, cu, out, lse, int(tokens), int(sequences), int(heads), \
               int(kvHeads), pitchQ, pitchK, pitchV, pitchOut,                 \
               __uint_as_float(uint32_t(scaleBits)));                          \
  }
LLAMAC_FORWARD(attention_forward_bf16_d64, 64)
LLAMAC_FORWARD(attention_forward_bf16_d128, 128)
