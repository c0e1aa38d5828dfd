//===- FactorGradients.cu - Gradients of a group of adapter factors -------===//
//
// For every problem p of 1 to 4 (the symbol's suffix), in one launch:
//   out[n, c] = alpha * sum over tokens t of Y[t, n] * S[t, c]
// with bf16 operands and f32 sums: the gradient of B, [N, r], from dy and t, or
// that of A, `transposed`, [r, N], from x and dt.
//   reads  Y0, S0, Y1, S1, ... bf16 [T, N], [T, r], 16-byte aligned
//   writes out0, out1, ... f32, 16-byte aligned; all of [N, r] or [r, N] and
//          nothing between rows; no two overlap
//   scalars T; for each problem N, r, pitches of Y, S and out in elements,
//          transposed (0 or 1), the bits of alpha as f32
// N, r and the first two pitches are multiples of 8, that of out is one of 4;
// r <= 64.
//   grid sum over p of ceil(N / 64), 128 threads: FactorGradientsPlace.h
// T is a few hundred and the whole of it is summed by one block, in order:
// equal inputs give equal bytes. Both operands have the summed dimension
// outermost, so both fragments are loaded transposed. Needs sm_80.
// Tests: test/gpu/factors.cpp,
// test/compiler/kernels/FactorGradientsTest.cpp.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/FactorGradientsPlace.h"
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

extern __shared__ __align__(1024) unsigned char sharedMemory[];

struct Problem {
  const Bf16 *y, *s;
  float *out;
  int64_t n, rank, ldy, lds, ldd, transposed, alpha;
};

/// Starts copying one chunk of tokens: the block's columns of Y from `y` on and
/// S from `s` on, of which `columns` and `rank` are there. Tokens from `valid`
/// on become 0, but only as far as mma reads them.
__device__ inline void copyChunk(uint32_t tile, const Bf16 *y, const Bf16 *s,
                                 int64_t ldy, int64_t lds, int valid,
                                 int columns, int rank) {
  constexpr int step = kFactorThreads / 8;
  int row = threadIdx.x / 8, chunk = threadIdx.x % 8;
  bool inY = 8 * chunk < columns, inS = 8 * chunk < rank;
  y += row * ldy + 8 * chunk;
  s += row * lds + 8 * chunk;
#pragma unroll
  for (int i = 0; i < kFactorChunk / step; ++i) {
    static_assert(step == 16, "a step of mma");
    if (i * step >= valid)
      break;
    int r = row + i * step;
    uint32_t at = tile + tileOffset<kFactorChunk>(r, chunk);
    copyAsync16(at, y + i * step * ldy, inY && r < valid);
    copyAsync16(at + kFactorTileBytes, s + i * step * lds, inS && r < valid);
  }
}

/// Tile `index` of a problem.
__device__ inline void factorGradient(const Problem &p, int64_t tokens,
                                      int index) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int64_t column0 = int64_t(index) * kFactorTile;
  int columns = int(p.n - column0 < kFactorTile ? p.n - column0 : kFactorTile);
  int rank = int(p.rank),
      chunks = int(tokens + kFactorChunk - 1) / kFactorChunk;
  uint32_t ring = sharedAddress(sharedMemory);
  auto copy = [&](int chunk) {
    if (chunk < chunks) {
      int64_t t = int64_t(chunk) * kFactorChunk;
      copyChunk(ring + chunk % kFactorStages * (2 * kFactorTileBytes),
                p.y + t * p.ldy + column0, p.s + t * p.lds, p.ldy, p.lds,
                int(tokens - t < kFactorChunk ? tokens - t : kFactorChunk),
                columns, rank);
    }
    copyAsyncCommit();
  };
#pragma unroll
  for (int i = 0; i < kFactorStages - 1; ++i)
    copy(i);

  // The warp has 16 columns of Y, which are rows of the result.
  float sums[kFactorMaxRank / 8][4] = {};
  for (int chunk = 0; chunk < chunks; ++chunk) {
    copyAsyncWait<kFactorStages - 2>();
    __syncthreads(); // all threads' copies are there; the last chunk was read
    copy(chunk + kFactorStages - 1);
    int rest = int(tokens) - chunk * kFactorChunk;
    uint32_t tile = ring + chunk % kFactorStages * (2 * kFactorTileBytes);
    uint32_t fromY = laneB(tile), fromS = laneA(tile + kFactorTileBytes);
#pragma unroll
    for (int k = 0; k < kFactorChunk; k += 16) {
      if (k >= rest)
        break;
      uint32_t a[4];
      loadMatrix4Transposed(a, chunkPair<kFactorChunk>(fromY + 128 * k, warp));
#pragma unroll
      for (int j = 0; j < kFactorMaxRank / 16; ++j) {
        if (16 * j < rank) {
          uint32_t b[4];
          loadMatrix4Transposed(b, chunkPair<kFactorChunk>(fromS + 128 * k, j));
          multiplyAdd(sums[2 * j], a, b[0], b[1]);
          multiplyAdd(sums[2 * j + 1], a, b[2], b[3]);
        }
      }
    }
  }
  copyAsyncWait<0>();
  __syncthreads(); // the ring is free for the result

  float *staged = reinterpret_cast<float *>(sharedMemory);
  float alpha = __uint_as_float(uint32_t(p.alpha));
  bool transposed = p.transposed != 0;
  int n = 16 * warp + lane / 4, c = lane % 4 * 2;
#pragma unroll
  for (int j = 0; j < kFactorMaxRank / 8; ++j)
    if (8 * j < rank)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float2 x = {sums[j][2 * half] * alpha, sums[j][2 * half + 1] * alpha};
        float *to = staged + factorStaged(transposed, n + 8 * half, 8 * j + c);
        if (transposed) {
          to[0] = x.x;
          to[kFactorPitchTransposed] = x.y;
        } else {
          *reinterpret_cast<float2 *>(to) = x;
        }
      }
  __syncthreads();
  // Rows of the result: c if transposed, else n; four floats a thread.
  int rows = transposed ? rank : columns;
  int across = (transposed ? columns : rank) / 4;
  float *out = p.out + (transposed ? column0 : column0 * p.ldd);
  for (int i = threadIdx.x; i < rows * across; i += kFactorThreads) {
    int row = unsigned(i) / unsigned(across), at = 4 * (i - row * across);
    const float *from = staged + (transposed ? factorStaged(true, at, row)
                                             : factorStaged(false, row, at));
    *reinterpret_cast<float4 *>(out + row * p.ldd + at) =
        *reinterpret_cast<const float4 *>(from);
  }
}

/// The tile of this block, by counting those of the problems in order.
template <typename... Rest>
__device__ inline Problem problemOf(int &index, const Problem &first,
                                    const Rest &...rest) {
  if constexpr (sizeof...(rest) == 0) {
    return first;
  } else {
    int tiles = int(factorTiles(first.n));
    if (index < tiles)
      return first;
    index -= tiles;
    return problemOf(index, rest...);
  }
}

template <typename... Problems>
__device__ inline void factorGradients(int64_t tokens,
                                       const Problems &...problems) {
  waitForEarlierWork();
  int index = blockIdx.x;
  Problem p = problemOf(index, problems...);
  factorGradient(p, tokens, index);
}

} // namespace

#define READS(i) const Bf16 *y##i, const Bf16 *s##i
#define SCALARS(i)                                                             \
  int64_t n##i, int64_t rank##i, int64_t ldy##i, int64_t lds##i,               \
      int64_t ldd##i, int64_t transposed##i, int64_t alpha##i
#define PROBLEM(i)                                                             \
  Problem {                                                                    \
    y##i, s##i, out##i, n##i, rank##i, ldy##i, lds##i, ldd##i, transposed##i,  \
        alpha##i                                                               \
  }

extern "C" __global__ void __launch_bounds__(kFactorThreads)
    factor_gradients_1(READS(0), float *out0, int64_t tokens, SCALARS(0)) {
  factorGradients(tokens, PROBLEM(0));
}

extern "C" __global__ void __launch_bounds__(kFactorThreads)
    factor_gradients_2(READS(0), READS(1), float *out0, float *out1,
                       int64_t tokens, SCALARS(0), SCALARS(1)) {
  factorGradients(tokens, PROBLEM(0), PROBLEM(1));
}

extern "C" __global__ void __launch_bounds__(kFactorThreads)
    factor_gradients_3(READS(0), READS(1), READS(2), float *out0, float *out1,
                       float *out2, int64_t tokens, SCALARS(0), SCALARS(1),
                       SCALARS(2)) {
  factorGradients(tokens, PROBLEM(0), PROBLEM(1), PROBLEM(2));
}

extern "C" __global__ void __launch_bounds__(kFactorThreads)
    factor_gradients_4(READS(0), READS(1), READS(2), READS(3), float *out0,
                       float *out1, float *out2, float *out3, int64_t tokens,
                       SCALARS(0), SCALARS(1), SCALARS(2), SCALARS(3)) {
  factorGradients(tokens, PROBLEM(0), PROBLEM(1), PROBLEM(2), PROBLEM(3));
}
