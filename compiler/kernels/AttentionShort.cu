//===- AttentionShort.cu - Attention and gradient, short sequences, bf16 --===//
//
// The functions of AttentionForward.cu and AttentionBackward.cu for sequences
// of at most 128 tokens, where launches and latency cost more than arithmetic:
// one launch each.
//   attention_short       reads q, k, v, cu_seqlens; writes out, lse
//          scalars as attention_forward
//          grid (kv_heads, B + 1, ceil(longest * group / 128)), 256 threads
//   attention_short_grad  reads q, k, v, cu_seqlens, out, lse, dout; writes dq,
//          dk, dv
//          scalars T, B, heads, kv_heads, pitch_q, pitch_k, pitch_v, pitch_out,
//          pitch_dout, pitch_dq, pitch_dk, pitch_dv, bits of the float scale
//          grid (kv_heads, B + 1), 256 threads
// Shapes, units and alignment as in AttentionForward.cu; D is 64 or 128, group
// = heads / kv_heads <= 64. Rows from cu_seqlens[B] on become 0 (blocks B of
// each key head).
// A block has a sequence and a key head with all query heads of its group: the
// rows of those heads stand packed (row r is head r % group of token r /
// group), in tiles of 128, 16 to a warp. Forward, a block has one tile. The
// gradient's block goes through all, so that sums over heads are the products'
// own sums: each warp computes p and ds into shared memory and dq from it; then
// four warps add p^T dout to dv and four ds^T q to dk, each for a quarter of
// the columns, in registers until the end.
// Reference: test/compiler/kernels/AttentionReference.h. Test:
// test/gpu/attention.cpp. Needs sm_80 and shared memory for 3 (forward) or, for
// the gradient, 4 tiles of 128 x D and 2 of 128 x 128 bf16: D = 128 fits sm_90
// (227 KiB a block), not every sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

constexpr int kRows = 128, kThreads = 256;

/// Starts copying `rows` rows, row r from source + offset(r); up to the next
/// multiple of 16 rows are cleared.
template <int D, typename Offset>
__device__ inline void loadRows(uint32_t tile, const Bf16 *source, int rows,
                                Offset offset) {
  constexpr int chunks = D / 8;
  int chunk = threadIdx.x % chunks, end = (rows + 15) / 16 * 16;
  source += chunk * 8;
#pragma unroll 1
  for (int row = threadIdx.x / chunks; row < end; row += kThreads / chunks)
    copyAsync16(tile + tileOffset<kRows>(row, chunk),
                row < rows ? source + offset(row) : source, row < rows);
}

/// Stores one row of a warp's accumulators (g, or g + 8 if `half`) times
/// `factor`. Four lanes have it.
template <int D>
__device__ inline void storeRow(Bf16 *target, const float (&c)[D / 8][4],
                                int half, float factor) {
  int t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
    *reinterpret_cast<uint32_t *>(target + n * 8 + 2 * t) =
        packBf16(c[n][2 * half] * factor, c[n][2 * half + 1] * factor);
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
  int kvHead = blockIdx.x, sequence = blockIdx.y;
  int64_t start = cuSeqlens[sequence];
  int length =
      int((sequence == sequences ? tokens : cuSeqlens[sequence + 1]) - start);
  PackedRows packed(heads / kvHeads);
  int group = packed.group, from = blockIdx.z * kRows;
  int rows = min(kRows, length * group - from);
  out += start * pitchOut + kvHead * group * D;
  lse += start * heads + kvHead * group;
  if (sequence == sequences) {
    int thread = threadIdx.x + blockIdx.z * kThreads,
        threads = kThreads * gridDim.z;
#pragma unroll 1
    for (int member = 0; member < group; ++member)
      clearRows<D>(out + member * D, pitchOut, length, thread, threads);
#pragma unroll 1
    for (int i = thread; i < length * group; i += threads)
      lse[int64_t(i / group) * heads + i % group] = 0;
    return;
  }
  if (rows <= 0)
    return;
  q += start * pitchQ + kvHead * group * D;
  k += start * pitchK + kvHead * D;
  v += start * pitchV + kvHead * D;
  uint32_t tileQ = sharedAddress(shared), tileK = tileQ + tile,
           tileV = tileK + tile;
  int keys = packed.token(from + rows - 1) + 1;
  loadRows<D>(tileQ, q, rows,
              [&](int row) { return packed.offset(from + row, pitchQ, D); });
  loadRows<D>(tileK, k, keys, [&](int row) { return row * pitchK; });
  copyAsyncCommit();
  loadRows<D>(tileV, v, keys, [&](int row) { return row * pitchV; });
  copyAsyncCommit();
  copyAsyncWait<1>();
  __syncthreads();

  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  int mine = threadIdx.x / 32 * 16;
  bool busy = mine < rows;
  int groups = busy ? packed.keyGroups(from + mine, length) : 0;
  int token[2] = {packed.token(from + mine + g),
                  packed.token(from + mine + g + 8)};
  uint32_t a[D / 16][4];
  float result[D / 8][4] = {}, max[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
  float scale2 = scale * kLog2e;
  if (busy)
#pragma unroll
    for (int kk = 0; kk < D / 16; ++kk)
      loadMatrix4(a[kk], chunkPair<kRows>(laneA(tileQ) + mine * 128, kk));
      // Two groups of 16 keys at a time; the first always has a key for each
      // row.
#pragma unroll 1
  for (int n = 0; n < groups || n == 0; n += 2) {
    float s[4][4] = {};
    uint32_t keyLane = laneB(tileK) + n * 2048;
    bool second = n + 1 < groups;
    if (busy) {
#pragma unroll
      for (int kk = 0; kk < D / 16; ++kk) {
        uint32_t b[4];
        loadMatrix4(b, chunkPair<kRows>(keyLane, kk));
        multiplyAdd(s[0], a[kk], b[0], b[1]);
        multiplyAdd(s[1], a[kk], b[2], b[3]);
      }
      if (second)
#pragma unroll
        for (int kk = 0; kk < D / 16; ++kk) {
          uint32_t b[4];
          loadMatrix4(b, chunkPair<kRows>(keyLane + 2048, kk));
          multiplyAdd(s[2], a[kk], b[0], b[1]);
          multiplyAdd(s[3], a[kk], b[2], b[3]);
        }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float high = max[half];
#pragma unroll
      for (int part = 0; part < 4; ++part)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          if (n * 16 + part * 8 + 2 * t + (i & 1) > token[half])
            s[part][i] = -INFINITY;
          high = fmaxf(high, s[part][i]);
        }
      high = quadMax(high);
      float shrink = exp2Fast((max[half] - high) * scale2), total = 0;
      max[half] = high;
#pragma unroll
      for (int part = 0; part < 4; ++part)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          s[part][i] = exp2Fast((s[part][i] - high) * scale2);
          total += s[part][i];
        }
      sum[half] = sum[half] * shrink + total;
#pragma unroll
      for (int c = 0; c < D / 8; ++c) {
        result[c][2 * half] *= shrink;
        result[c][2 * half + 1] *= shrink;
      }
    }
    if (n == 0) {
      copyAsyncWait<0>();
      __syncthreads();
    }
    uint32_t valueLane = laneA(tileV) + n * 2048;
    if (busy)
#pragma unroll
      for (int part = 0; part < 2; ++part)
        if (part == 0 || second) {
          uint32_t p[4];
          toA(p, s[2 * part], s[2 * part + 1]);
#pragma unroll
          for (int c = 0; c < D / 16; ++c) {
            uint32_t b[4];
            loadMatrix4Transposed(b,
                                  chunkPair<kRows>(valueLane + part * 2048, c));
            multiplyAdd(result[2 * c], p, b[0], b[1]);
            multiplyAdd(result[2 * c + 1], p, b[2], b[3]);
          }
        }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    int row = mine + g + 8 * half;
    float total = quadSum(sum[half]), inverse = 1 / total;
    if (row >= rows)
      continue;
    if (t == 0)
      lse[packed.offset(from + row, heads, 1)] =
          max[half] * scale + kLn2 * __log2f(total);
    storeRow<D>(out + packed.offset(from + row, pitchOut, D), result, half,
                inverse);
  }
}

template <int D> struct Tiles {
  static constexpr uint32_t tile = kRows * D * 2, square = kRows * kRows * 2;
  static constexpr uint32_t k = 0, v = tile, q = 2 * tile, dout = 3 * tile,
                            p = 4 * tile, ds = p + square;
  static constexpr uint32_t out = p; // until the rows' own p
};

/// dout.out of 16 rows of two tiles, by a warp: rows g and g + 8.
template <int D>
__device__ inline void rowProducts(float (&delta)[2], uint32_t tileA,
                                   uint32_t tileB, int row) {
  int lane = threadIdx.x % 32, r = row + lane / 2;
  float sum = 0;
#pragma unroll
  for (int c = 0; c < D / 16; ++c) {
    uint32_t offset = tileOffset<kRows>(r, lane % 2 * (D / 16) + c), x[4], y[4];
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(tileA + offset)
                 : "memory");
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(y[0]), "=r"(y[1]), "=r"(y[2]), "=r"(y[3])
                 : "r"(tileB + offset)
                 : "memory");
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      sum = fmaf(lowFloat(x[e]), lowFloat(y[e]), sum);
      sum = fmaf(highFloat(x[e]), highFloat(y[e]), sum);
    }
  }
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  delta[0] = __shfl_sync(0xffffffffu, sum, lane / 4 * 2);
  delta[1] = __shfl_sync(0xffffffffu, sum, lane / 4 * 2 + 16);
}

__device__ inline void storePair(uint32_t tile, int row, int column, float low,
                                 float high) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(
                   tile + tileOffset<kRows>(row, column / 8) + column % 8 * 2),
               "r"(packBf16(low, high))
               : "memory");
}

template <int D>
__device__ inline void
shortGrad(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cuSeqlens,
          const Bf16 *out, const float *lse, const Bf16 *dout, Bf16 *dq,
          Bf16 *dk, Bf16 *dv, int tokens, int sequences, int heads, int kvHeads,
          int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchOut,
          int64_t pitchDout, int64_t pitchDq, int64_t pitchDk, int64_t pitchDv,
          float scale) {
  using Tile = Tiles<D>;
  extern __shared__ __align__(1024) unsigned char shared[];
  waitForEarlierWork();
  int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  int kvHead = blockIdx.x, sequence = blockIdx.y;
  PackedRows packed(heads / kvHeads);
  int group = packed.group;
  int64_t start = cuSeqlens[sequence];
  int length =
      int((sequence == sequences ? tokens : cuSeqlens[sequence + 1]) - start);
  if (length <= 0)
    return;
  int column = kvHead * group * D; // of the group's first query head
  q += start * pitchQ + column;
  out += start * pitchOut + column;
  dout += start * pitchDout + column;
  dq += start * pitchDq + column;
  k += start * pitchK + kvHead * D;
  v += start * pitchV + kvHead * D;
  dk += start * pitchDk + kvHead * D;
  dv += start * pitchDv + kvHead * D;
  lse += start * heads + kvHead * group;
  if (sequence == sequences) {
    clearRows<D>(dk, pitchDk, length, thread, kThreads);
    clearRows<D>(dv, pitchDv, length, thread, kThreads);
#pragma unroll 1
    for (int member = 0; member < group; ++member)
      clearRows<D>(dq + member * D, pitchDq, length, thread, kThreads);
    return;
  }

  uint32_t base = sharedAddress(shared);
  loadRows<D>(base + Tile::k, k, length, [&](int row) { return row * pitchK; });
  loadRows<D>(base + Tile::v, v, length, [&](int row) { return row * pitchV; });

  // The quarter of dv's (warps 0 to 3) or dk's columns that this warp sums.
  constexpr int quarter = D / 4;
  float sums[kRows / 16][quarter / 8][4] = {};
  int groupsOfKeys = (length + 15) / 16;
  uint32_t left = laneB(base + (warp < 4 ? Tile::p : Tile::ds));
  uint32_t right = laneA(base + (warp < 4 ? Tile::dout : Tile::q));
  float scale2 = scale * kLog2e;
  int g = lane / 4, t = lane % 4;

  for (int from = 0; from < length * group; from += kRows) {
    int rows = min(kRows, length * group - from), mine = warp * 16;
    auto load = [&](uint32_t tile, const Bf16 *source, int64_t pitch) {
      loadRows<D>(base + tile, source, rows,
                  [&](int row) { return packed.offset(from + row, pitch, D); });
    };
    load(Tile::q, q, pitchQ);
    load(Tile::dout, dout, pitchDout);
    load(Tile::out, out, pitchOut);
    copyAsyncCommit();
    float log2s[2] = {0, 0}, rowDelta[2];
#pragma unroll
    for (int half = 0; half < 2; ++half)
      if (mine + g + 8 * half < rows)
        log2s[half] =
            lse[packed.offset(from + mine + g + 8 * half, heads, 1)] * kLog2e;
    copyAsyncWait<0>();
    __syncthreads();

    if (mine < rows) {
      int groups = packed.keyGroups(from + mine, length);
      uint32_t laneQ = laneA(base + Tile::q) + mine * 128,
               laneDout = laneA(base + Tile::dout) + mine * 128;
      int token[2] = {packed.token(from + mine + g),
                      packed.token(from + mine + g + 8)};
      rowProducts<D>(rowDelta, base + Tile::out, base + Tile::dout, mine);
#pragma unroll 1
      for (int n = 0; n < groups; ++n) {
        float s[2][4] = {}, dp[2][4] = {};
        uint32_t laneK = laneB(base + Tile::k) + n * 2048,
                 laneV = laneB(base + Tile::v) + n * 2048;
#pragma unroll
        for (int kk = 0; kk < D / 16; ++kk) {
          uint32_t a[4], b[4];
          loadMatrix4(a, chunkPair<kRows>(laneQ, kk));
          loadMatrix4(b, chunkPair<kRows>(laneK, kk));
          multiplyAdd(s[0], a, b[0], b[1]);
          multiplyAdd(s[1], a, b[2], b[3]);
          loadMatrix4(a, chunkPair<kRows>(laneDout, kk));
          loadMatrix4(b, chunkPair<kRows>(laneV, kk));
          multiplyAdd(dp[0], a, b[0], b[1]);
          multiplyAdd(dp[1], a, b[2], b[3]);
        }
#pragma unroll
        for (int part = 0; part < 2; ++part)
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            int key = n * 16 + part * 8 + 2 * t;
            float p[2], ds[2];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              float x = exp2Fast(s[part][2 * half + i] * scale2 - log2s[half]);
              p[i] = key + i > token[half] ? 0 : x;
              ds[i] = p[i] * (dp[part][2 * half + i] - rowDelta[half]);
            }
            storePair(base + Tile::p, mine + g + 8 * half, key, p[0], p[1]);
            storePair(base + Tile::ds, mine + g + 8 * half, key, ds[0], ds[1]);
          }
      }
      __syncwarp();
      float grad[D / 8][4] = {};
      uint32_t laneDs = laneA(base + Tile::ds) + mine * 128;
#pragma unroll 1
      for (int n = 0; n < groups; ++n) {
        uint32_t a[4];
        loadMatrix4(a, chunkPair<kRows>(laneDs, n));
#pragma unroll
        for (int c = 0; c < D / 16; ++c) {
          uint32_t b[4];
          loadMatrix4Transposed(
              b, chunkPair<kRows>(laneA(base + Tile::k) + n * 2048, c));
          multiplyAdd(grad[2 * c], a, b[0], b[1]);
          multiplyAdd(grad[2 * c + 1], a, b[2], b[3]);
        }
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int row = mine + g + 8 * half;
        if (row < rows)
          storeRow<D>(dq + packed.offset(from + row, pitchDq, D), grad, half,
                      scale);
      }
    }
    __syncthreads();

#pragma unroll 1
    for (int j = 0; j < (rows + 15) / 16; ++j) {
      int groups = packed.keyGroups(from + j * 16, length);
      uint32_t b[quarter / 16][4];
#pragma unroll
      for (int c = 0; c < quarter / 16; ++c)
        loadMatrix4Transposed(
            b[c], chunkPair<kRows>(right + j * 2048,
                                   (warp & 3) * (quarter / 16) + c));
#pragma unroll
      for (int m = 0; m < kRows / 16; ++m)
        if (m < groups) {
          uint32_t a[4];
          loadMatrix4Transposed(a, chunkPair<kRows>(left + j * 2048, m));
#pragma unroll
          for (int c = 0; c < quarter / 16; ++c) {
            multiplyAdd(sums[m][2 * c], a, b[c][0], b[c][1]);
            multiplyAdd(sums[m][2 * c + 1], a, b[c][2], b[c][3]);
          }
        }
    }
    __syncthreads();
  }

  Bf16 *target = (warp < 4 ? dv : dk) + (warp & 3) * quarter + 2 * t;
  int64_t pitch = warp < 4 ? pitchDv : pitchDk;
  float factor = warp < 4 ? 1 : scale;
#pragma unroll
  for (int m = 0; m < kRows / 16; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int row = m * 16 + g + 8 * half;
      if (m < groupsOfKeys && row < length)
#pragma unroll
        for (int n = 0; n < quarter / 8; ++n)
          *reinterpret_cast<uint32_t *>(target + row * pitch + n * 8) =
              packBf16(sums[m][n][2 * half] * factor,
                       sums[m][n][2 * half + 1] * factor);
    }
}

} // namespace

#define LLAMAC_SHORT_GRAD(name, D)                                             \
  extern "C" __global__ void __launch_bounds__(kThreads, 1) name(              \
      const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,          \
      const Bf16 *out, const float *lse, const Bf16 *dout, Bf16 *dq, Bf16 *dk, \
      Bf16 *dv, int64_t tokens, int64_t sequences, int64_t heads,              \
      int64_t kvHeads, int64_t pitchQ, int64_t pitchK, int64_t pitchV,         \
      int64_t pitchOut, int64_t pitchDout, int64_t pitchDq, int64_t pitchDk,   \
      int64_t pitchDv, int64_t scaleBits) {                                    \
    shortGrad<D>(q, k, v, cu, out, lse, dout, dq, dk, dv, int(tokens),         \
                 int(sequences), int(heads), int(kvHeads), pitchQ, pitchK,     \
                 pitchV, pitchOut, pitchDout, pitchDq, pitchDk, pitchDv,       \
                 __uint_as_float(uint32_t(scaleBits)));                        \
  }
#define LLAMAC_SHORT(name, D)                                                  \
  extern "C" __global__ void __launch_bounds__(kThreads)                       \
      name(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,     \
           Bf16 *out, float *lse, int64_t tokens, int64_t sequences,           \
           int64_t heads, int64_t kvHeads, int64_t pitchQ, int64_t pitchK,     \
           int64_t pitchV, int64_t pitchOut, int64_t scaleBits) {              \
    forward<D>(q, k, v, cu, out, lse, int(tokens), int(sequences), int(heads), \
               int(kvHeads), pitchQ, pitchK, pitchV, pitchOut,                 \
               __uint_as_float(uint32_t(scaleBits)));                          \
  }
LLAMAC_SHORT(attention_short_bf16_d64, 64)
LLAMAC_SHORT(attention_short_bf16_d128, 128)
LLAMAC_SHORT_GRAD(attention_short_grad_bf16_d64, 64)
LLAMAC_SHORT_GRAD(attention_short_grad_bf16_d128, 128)
