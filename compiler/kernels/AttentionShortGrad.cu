//===- AttentionShortGrad.cu - Gradient for short sequences, bf16 ---------===//
//
// The gradient of AttentionBackward.cu in one launch, for sequences of at most
// 128 tokens, where launches and memory latency cost more than arithmetic.
//   reads  q, k, v, cu_seqlens, out, lse, dout
//   writes dq, dk, dv
//   scalars T, B, heads, kv_heads, pitch_q, pitch_k, pitch_v, pitch_out,
//          pitch_dout, pitch_dq, pitch_dk, pitch_dv, bits of the float scale
//   grid (kv_heads, B + 1), 256 threads
// Shapes, units and alignment as in AttentionForward.cu; D is 64 or 128. Rows
// from cu_seqlens[B] on become 0 (block B of each key head).
// A block has a whole sequence and a key head with all query heads of its
// group: the rows of those heads stand packed (row r is head r % group of token
// r / group), so that sums over heads are the matrix products' own sums. Rows
// come in tiles of 128, a warp has 16 of them: it computes p and ds into shared
// memory and dq from it; then four warps add p^T dout to dv and four ds^T q to
// dk, each for a quarter of the columns, in registers until the end.
// Reference: test/compiler/kernels/AttentionReference.h. Test:
// test/gpu/attention.cu. Needs sm_80 and (8 D + 520) * 128 bytes of shared
// memory: D = 128 fits sm_90 (227 KiB a block), not every sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

constexpr int kRows = 128, kThreads = 256;

template <int D> struct Tiles {
  static constexpr uint32_t tile = kRows * D * 2, square = kRows * kRows * 2;
  static constexpr uint32_t k = 0, v = tile, q = 2 * tile, dout = 3 * tile,
                            p = 4 * tile, ds = p + square, lse = ds + square,
                            delta = lse + kRows * 4;
};

/// Starts copying `rows` rows, row r from source + offset(r); up to the next
/// multiple of 16 rows are cleared.
template <int D, typename Offset>
__device__ inline void loadRows(uint32_t tile, const Bf16 *source, int rows,
                                Offset offset) {
  constexpr int chunks = D / 8;
  int end = (rows + 15) / 16 * 16 * chunks;
  for (int i = threadIdx.x; i < end; i += kThreads) {
    int row = i / chunks, chunk = i % chunks;
    copyAsync16(tile + tileOffset<kRows>(row, chunk),
                row < rows ? source + offset(row) + chunk * 8 : source,
                row < rows);
  }
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
  int kvHead = blockIdx.x, sequence = blockIdx.y, group = heads / kvHeads;
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
    for (int member = 0; member < group; ++member)
      clearRows<D>(dq + member * D, pitchDq, length, thread, kThreads);
    return;
  }

  uint32_t base = sharedAddress(shared);
  float *logs = reinterpret_cast<float *>(shared + Tile::lse);
  float *deltas = reinterpret_cast<float *>(shared + Tile::delta);
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
    int rows = min(kRows, length * group - from);
    auto offset = [&](int row, int64_t pitch) {
      int packed = from + row, token = packed / group;
      return token * pitch + (packed - token * group) * D;
    };
    loadRows<D>(base + Tile::q, q, rows,
                [&](int row) { return offset(row, pitchQ); });
    loadRows<D>(base + Tile::dout, dout, rows,
                [&](int row) { return offset(row, pitchDout); });
    copyAsyncCommit();
    // delta, D / 8 lanes to a row.
    constexpr int lanes = D / 8;
    for (int i = thread; i < (rows + 15) / 16 * 16 * lanes; i += kThreads) {
      int row = i / lanes;
      float sum = 0;
      if (row < rows) {
        uint4 x = *reinterpret_cast<const uint4 *>(out + offset(row, pitchOut) +
                                                   i % lanes * 8);
        uint4 y = *reinterpret_cast<const uint4 *>(
            dout + offset(row, pitchDout) + i % lanes * 8);
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
      if (i % lanes == 0)
        deltas[row] = sum;
    }
    if (thread < kRows)
      logs[thread] = thread < rows
                         ? lse[(from + thread) / group * int64_t(heads) +
                               (from + thread) % group] *
                               kLog2e
                         : 0;
    copyAsyncWait<0>();
    __syncthreads();

    int mine = warp * 16;
    if (mine < rows) {
      int groups = lastTokenOfPacked(from + mine, group, length) / 16 + 1;
      uint32_t laneQ = laneA(base + Tile::q) + mine * 128,
               laneDout = laneA(base + Tile::dout) + mine * 128;
      int token[2] = {(from + mine + g) / group, (from + mine + g + 8) / group};
      float log2s[2] = {logs[mine + g], logs[mine + g + 8]};
      float rowDelta[2] = {deltas[mine + g], deltas[mine + g + 8]};
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
      for (int half = 0; half < 2; ++half)
        if (mine + g + 8 * half < rows) {
          Bf16 *target = dq + offset(mine + g + 8 * half, pitchDq) + 2 * t;
#pragma unroll
          for (int n = 0; n < D / 8; ++n)
            *reinterpret_cast<uint32_t *>(target + n * 8) = packBf16(
                grad[n][2 * half] * scale, grad[n][2 * half + 1] * scale);
        }
    }
    __syncthreads();

    for (int j = 0; j < (rows + 15) / 16; ++j) {
      int groups = lastTokenOfPacked(from + j * 16, group, length) / 16 + 1;
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
LLAMAC_SHORT_GRAD(attention_short_grad_bf16_d64, 64)
LLAMAC_SHORT_GRAD(attention_short_grad_bf16_d128, 128)
