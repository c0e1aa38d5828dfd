//===- AttentionBackward.cu - Gradient of causal attention, bf16 ----------===//
//
// With p = exp(scale q.k - lse), delta = dout.out, ds = p (dout.v - delta):
//   dq = scale ds k,  dk = scale ds^T q,  dv = p^T dout.
// Two launches, in this order, so that every sum has one owner and one order
// and the result is the same bit for bit; p is recomputed in both.
//   attention_grad_q   reads q, k, v, cu_seqlens, out, lse, dout;
//                      writes dq, delta f32 [T, heads] (scratch)
//          scalars T, B, heads, kv_heads, pitch_q, pitch_k, pitch_v, pitch_out,
//          pitch_dout, pitch_dq, bits of the float scale
//          grid (heads, slotCount(T, B, 64)), 128 threads
//   attention_grad_kv  reads q, k, v, cu_seqlens, lse, dout, delta;
//                      writes dk, dv
//          scalars T, B, heads, kv_heads, pitch_q, pitch_k, pitch_v,
//          pitch_dout, pitch_dk, pitch_dv, bits of the float scale
//          grid (kv_heads, slotCount(T, B, 64)), 128 threads
// Shapes, units and alignment as in AttentionForward.cu; D is 64 or 128. Rows
// from cu_seqlens[B] on become 0.
// grad_q: a block has 64 query rows of a head and meets the keys in tiles
// of 64. grad_kv: a block has 64 keys of a key head and meets the query rows of
// all heads of the group; scores are computed transposed, so that p^T and ds^T
// are already where the next product wants its left operand: in registers.
// Reference: test/compiler/kernels/AttentionReference.h. Test:
// test/gpu/attention.cpp. Needs sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

constexpr int kRows = 64, kThreads = 128;

/// c[n] += a b^T over D: a 16 rows and b 64 rows of tiles [row][D], given by
/// lane addresses; groups of 16 columns in [from, to).
template <int D>
__device__ inline void multiplyRows(float (&c)[8][4], uint32_t a, uint32_t b,
                                    int from, int to) {
#pragma unroll
  for (int kk = 0; kk < D / 16; ++kk) {
    uint32_t x[4];
    loadMatrix4(x, chunkPair<kRows>(a, kk));
#pragma unroll
    for (int n = 0; n < 4; ++n)
      if (n >= from && n < to) {
        uint32_t y[4];
        loadMatrix4(y, chunkPair<kRows>(b + n * 2048, kk));
        multiplyAdd(c[2 * n], x, y[0], y[1]);
        multiplyAdd(c[2 * n + 1], x, y[2], y[3]);
      }
  }
}

/// c += a b: a 16 x 64 in accumulators, b a tile [64][D] given by a lane
/// address; groups of 16 of the inner dimension in [from, to).
template <int D>
__device__ inline void multiplyColumns(float (&c)[D / 8][4],
                                       const float (&a)[8][4], uint32_t b,
                                       int from, int to) {
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (j >= from && j < to) {
      uint32_t x[4];
      toA(x, a[2 * j], a[2 * j + 1]);
#pragma unroll
      for (int n = 0; n < D / 16; ++n) {
        uint32_t y[4];
        loadMatrix4Transposed(y, chunkPair<kRows>(b + j * 2048, n));
        multiplyAdd(c[2 * n], x, y[0], y[1]);
        multiplyAdd(c[2 * n + 1], x, y[2], y[3]);
      }
    }
}

template <int D>
__device__ inline void
gradQ(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cuSeqlens,
      const Bf16 *out, const float *lse, const Bf16 *dout, Bf16 *dq,
      float *delta, int tokens, int sequences, int heads, int kvHeads,
      int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchOut,
      int64_t pitchDout, int64_t pitchDq, float scale) {
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
  dq += first * pitchDq + head * D;
  delta += first * heads + head;
  if (place.sequence == sequences) {
    clearRows<D>(dq, pitchDq, valid, thread, kThreads);
    for (int r = thread; r < valid; r += kThreads)
      delta[int64_t(r) * heads] = 0;
    return;
  }

  uint32_t tileQ = sharedAddress(shared), tileDout = tileQ + tile,
           tileK = tileDout + tile, tileV = tileK + 2 * tile;
  float *deltas = reinterpret_cast<float *>(shared + 6 * tile);
  dout += first * pitchDout + head * D;
  out += first * pitchOut + head * D;
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
  loadTile<kRows, D, kThreads>(tileDout, dout, pitchDout, valid, thread);
  load(place.row, 0);

  // delta, D / 8 lanes to a row.
  constexpr int lanes = D / 8;
#pragma unroll
  for (int i = 0; i < kRows * lanes / kThreads; ++i) {
    int r = (thread + i * kThreads) / lanes, column = lane % lanes * 8;
    float sum = 0;
    if (r < valid) {
      uint4 x = *reinterpret_cast<const uint4 *>(out + r * pitchOut + column);
      uint4 y = *reinterpret_cast<const uint4 *>(dout + r * pitchDout + column);
      const uint32_t *xs = &x.x, *ys = &y.x;
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        sum = fmaf(lowFloat(xs[e]), lowFloat(ys[e]), sum);
        sum = fmaf(highFloat(xs[e]), highFloat(ys[e]), sum);
      }
    }
#pragma unroll
    for (int step = lanes / 2; step > 0; step /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (lane % lanes == 0) {
      deltas[r] = sum;
      if (r < valid)
        delta[int64_t(r) * heads] = sum;
    }
  }

  float lse2[2], scale2 = scale * kLog2e;
  int g = lane / 4, t = lane % 4, row = warp * 16 + g;
#pragma unroll
  for (int half = 0; half < 2; ++half)
    lse2[half] = row + 8 * half < valid
                     ? lse[(first + row + 8 * half) * heads + head] * kLog2e
                     : 0;
  float grad[D / 8][4] = {};
  uint32_t laneQ = laneA(tileQ) + warp * 2048,
           laneDout = laneA(tileDout) + warp * 2048, laneK = laneB(tileK),
           laneKt = laneA(tileK), laneV = laneB(tileV);
  auto addKeys = [&](bool diagonal, uint32_t stage) {
    int limit = diagonal ? warp + 1 : 4;
    float p[8][4] = {}, dp[8][4] = {};
    multiplyRows<D>(p, laneQ, laneK + stage, 0, limit);
    multiplyRows<D>(dp, laneDout, laneV + stage, 0, limit);
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        bool later = diagonal && n * 8 + 2 * t + (i & 1) > row + 8 * (i >> 1);
        float x = exp2Fast(p[n][i] * scale2 - lse2[i >> 1]);
        p[n][i] = later ? 0 : x * (dp[n][i] - deltas[row + 8 * (i >> 1)]);
      }
    multiplyColumns<D>(grad, p, laneKt + stage, 0, limit);
  };
  bool busy = warp * 16 < valid;
  int stage = 0;
  for (int from = place.row; from >= 0; from -= kRows, stage ^= 1) {
    if (from > 0)
      load(from - kRows, stage ^ 1);
    else
      copyAsyncCommit();
    copyAsyncWait<1>();
    __syncthreads();
    if (busy && from == place.row)
      addKeys(true, stage * tile);
    else if (busy)
      addKeys(false, stage * tile);
    __syncthreads();
  }
  if (busy)
    storeRows<kRows, D>(dq + warp * 16 * pitchDq, pitchDq, valid - warp * 16,
                        tileQ, warp * 16, grad, {scale, scale});
}

template <int D>
__device__ inline void
gradKv(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cuSeqlens,
       const float *lse, const Bf16 *dout, const float *delta, Bf16 *dk,
       Bf16 *dv, int tokens, int sequences, int heads, int kvHeads,
       int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchDout,
       int64_t pitchDk, int64_t pitchDv, float scale) {
  constexpr uint32_t tile = kRows * D * 2, stageBytes = 2 * tile + 512;
  extern __shared__ __align__(1024) unsigned char shared[];
  waitForEarlierWork();
  int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  int kvHead = blockIdx.x, group = heads / kvHeads;
  // First tiles have the most query rows, and first slots start first.
  Place place =
      warpPlaceOfSlot(cuSeqlens, sequences, tokens, kRows, blockIdx.y);
  int valid = min(kRows, place.length - place.row);
  if (valid <= 0)
    return;
  int64_t first = place.start + place.row;
  dk += first * pitchDk + kvHead * D;
  dv += first * pitchDv + kvHead * D;
  if (place.sequence == sequences) {
    clearRows<D>(dk, pitchDk, valid, thread, kThreads);
    clearRows<D>(dv, pitchDv, valid, thread, kThreads);
    return;
  }

  // A stage is a tile of q, one of dout, 64 lse and 64 delta.
  uint32_t tileK = sharedAddress(shared), tileV = tileK + tile,
           stages = tileV + tile;
  loadTile<kRows, D, kThreads>(tileK, k + first * pitchK + kvHead * D, pitchK,
                               valid, thread);
  loadTile<kRows, D, kThreads>(tileV, v + first * pitchV + kvHead * D, pitchV,
                               valid, thread);
  int tiles = (place.length - place.row + kRows - 1) / kRows;
  auto load = [&](int tileIndex, int member, int stage) {
    int row = place.row + tileIndex * kRows, rest = place.length - row;
    int head = kvHead * group + member;
    int64_t from = place.start + row;
    uint32_t target = stages + stage * stageBytes;
    loadTile<kRows, D, kThreads>(target, q + from * pitchQ + head * D, pitchQ,
                                 rest, thread);
    loadTile<kRows, D, kThreads>(target + tile,
                                 dout + from * pitchDout + head * D, pitchDout,
                                 rest, thread);
    int r = thread % kRows;
    const float *values = thread < kRows ? lse : delta;
    copyAsync4(target + 2 * tile + thread * 4,
               r < rest ? values + (from + r) * heads + head : values,
               r < rest);
    copyAsyncCommit();
  };
  load(0, 0, 0);

  int g = lane / 4, t = lane % 4;
  float scale2 = scale * kLog2e;
  float gradK[D / 8][4] = {}, gradV[D / 8][4] = {};
  uint32_t laneK = laneA(tileK) + warp * 2048,
           laneV = laneA(tileV) + warp * 2048;
  auto addQueries = [&](bool diagonal, uint32_t stage) {
    int from = diagonal ? warp : 0;
    uint32_t tileQ = stages + stage * stageBytes, tileDout = tileQ + tile;
    const float *logs = reinterpret_cast<const float *>(
        shared + 2 * tile + stage * stageBytes + 2 * tile);
    float p[8][4] = {};
    multiplyRows<D>(p, laneK, laneB(tileQ), from, 4);
#pragma unroll
    for (int n = 0; n < 8; ++n) {
      float2 l = *reinterpret_cast<const float2 *>(logs + n * 8 + 2 * t);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        bool later =
            diagonal && warp * 16 + g + 8 * (i >> 1) > n * 8 + 2 * t + (i & 1);
        float x = exp2Fast(p[n][i] * scale2 - (i & 1 ? l.y : l.x) * kLog2e);
        p[n][i] = later ? 0 : x;
      }
    }
    multiplyColumns<D>(gradV, p, laneA(tileDout), from, 4);
    float ds[8][4] = {};
    multiplyRows<D>(ds, laneV, laneB(tileDout), from, 4);
#pragma unroll
    for (int n = 0; n < 8; ++n) {
      float2 d =
          *reinterpret_cast<const float2 *>(logs + kRows + n * 8 + 2 * t);
#pragma unroll
      for (int i = 0; i < 4; ++i)
        ds[n][i] = p[n][i] * (ds[n][i] - (i & 1 ? d.y : d.x));
    }
    multiplyColumns<D>(gradK, ds, laneA(tileQ), from, 4);
  };
  bool busy = warp * 16 < valid;
  int count = tiles * group, stage = 0;
  for (int i = 0, index = 0, member = 0; i < count; ++i, stage ^= 1) {
    bool diagonal = index == 0;
    if (++index == tiles) {
      index = 0;
      ++member;
    }
    if (i + 1 < count)
      load(index, member, stage ^ 1);
    else
      copyAsyncCommit();
    copyAsyncWait<1>();
    __syncthreads();
    if (busy)
      addQueries(diagonal, stage);
    __syncthreads();
  }
  if (!busy)
    return;
  storeRows<kRows, D>(dk + warp * 16 * pitchDk, pitchDk, valid - warp * 16,
                      tileK, warp * 16, gradK, {scale, scale});
  storeRows<kRows, D>(dv + warp * 16 * pitchDv, pitchDv, valid - warp * 16,
                      tileV, warp * 16, gradV, {1, 1});
}

} // namespace

#define LLAMAC_BACKWARD(nameQ, nameKv, D)                                      \
  extern "C" __global__ void __launch_bounds__(kThreads, 2)                    \
      nameQ(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,    \
            const Bf16 *out, const float *lse, const Bf16 *dout, Bf16 *dq,     \
            float *delta, int64_t tokens, int64_t sequences, int64_t heads,    \
            int64_t kvHeads, int64_t pitchQ, int64_t pitchK, int64_t pitchV,   \
            int64_t pitchOut, int64_t pitchDout, int64_t pitchDq,              \
            int64_t scaleBits) {                                               \
    gradQ<D>(q, k, v, cu, out, lse, dout, dq, delta, int(tokens),              \
             int(sequences), int(heads), int(kvHeads), pitchQ, pitchK, pitchV, \
             pitchOut, pitchDout, pitchDq,                                     \
             __uint_as_float(uint32_t(scaleBits)));                            \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(kThreads, 2)                    \
      nameKv(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,   \
             const float *lse, const Bf16 *dout, const float *delta, Bf16 *dk, \
             Bf16 *dv, int64_t tokens, int64_t sequences, int64_t heads,       \
             int64_t kvHeads, int64_t pitchQ, int64_t pitchK, int64_t pitchV,  \
             int64_t pitchDout, int64_t pitchDk, int64_t pitchDv,              \
             int64_t scaleBits) {                                              \
    gradKv<D>(q, k, v, cu, lse, dout, delta, dk, dv, int(tokens),              \
              int(sequences), int(heads), int(kvHeads), pitchQ, pitchK,        \
              pitchV, pitchDout, pitchDk, pitchDv,                             \
              __uint_as_float(uint32_t(scaleBits)));                           \
  }
LLAMAC_BACKWARD(attention_grad_q_bf16_d64, attention_grad_kv_bf16_d64, 64)
LLAMAC_BACKWARD(attention_grad_q_bf16_d128, attention_grad_kv_bf16_d128, 128)
