//===- TripletGrams.cu - Gram matrices of AdaLoRA's factors ---------------===//
//
// M modules of rank r; `table` i64 [M, kTripletFields] says where the factors A
// [r, in], E [r, 1] and B [out, r] of each lie in flat buffers of f32, and what
// part of them counts here (dialects/llm/TripletTable.h). What it computes:
// dialects/llm/LlmTripletOps.td. Sums run in a fixed order: equal inputs give
// equal bytes.
//   reads  params, table, gradients (triplet_grams_only: none, and dE is 0)
//   writes grams f32 [2M, r*r + r]
//   scalars M, r; grid (4*T*T, 2M), T = ceil(r/16), 256 threads, clusters of 4
// Products of 16 ranks run on the tensor cores, each float32 as the sum of two
// tf32 (x = hi + lo; hi hi + hi lo + lo hi), which loses 2^-22. Fragments take
// columns (or ranks) in an order that lets a lane load 16 bytes: a sum does not
// mind the order of its terms.
// Reference and tests: test/passes/codegen/TripletReference.h,
// test/gpu/triplets.cpp, which times it, too. Needs sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/TripletFactors.cuh"
#include "compiler/kernels/TripletsPlace.h"

#include <cooperative_groups.h>

using namespace llamac::kernels;

namespace {

/// Where blocks of a matrix meet. A cluster shares the columns of a matrix;
/// where there are no clusters (PTX for sm_80) its first block does them all.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define LLAMAC_TRIPLET_CLUSTER __cluster_dims__(kTripletCluster, 1, 1)
constexpr bool kClusters = true;
#else
#define LLAMAC_TRIPLET_CLUSTER
constexpr bool kClusters = false;
#endif

/// Sums over columns of A that end at `end`: a warp has 16 of 128 at a time.
template <bool kSquare, bool kWithE>
__device__ inline void sumColumns(const Factor &x, const Factor &p, int rank,
                                  int i0, int j0, int first, int end,
                                  float (&sums)[2][4], float (&dE)[2]) {
  int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  bool wide = x.count % 4 == 0;
#pragma unroll 4
  for (int c = first + warp * 16; c < end; c += 128) {
    Four a[2], b[2], d[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      a[h] = fourColumns(x, i0 + g + 8 * h, c + 4 * t, rank, wide);
      if (kWithE)
        d[h] = fourColumns(p, i0 + g + 8 * h, c + 4 * t, rank, wide);
      b[h] = kSquare ? a[h]
                     : fourColumns(x, j0 + g + 8 * h, c + 4 * t, rank, wide);
    }
    if (kWithE)
#pragma unroll
      for (int h = 0; h < 2; ++h)
#pragma unroll
        for (int q = 0; q < 4; ++q)
          dE[h] += a[h].x[q] * d[h].x[q];
#pragma unroll
    for (int q = 0; q < 4; q += 2) {
      Split left[4] = {Split(a[0].x[q]), Split(a[1].x[q]), Split(a[0].x[q + 1]),
                       Split(a[1].x[q + 1])};
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        Split right[2] = {Split(b[h].x[q]), Split(b[h].x[q + 1])};
        mma(sums[h], left, right);
      }
    }
  }
}

/// Sums over rows of B: a warp has 8 of 64 at a time.
template <bool kSquare>
__device__ inline void sumRows(const Factor &x, int rank, int i0, int j0,
                               int first, int end, float (&sums)[2][4]) {
  int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  bool even = rank % 2 == 0;
#pragma unroll 8
  for (int o = first + warp * 8; o < end; o += 64) {
    float a[2][2], b[2][2];
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      twoRanks(x, i0, g, o + t + 4 * s, rank, even, a[s]);
      if (kSquare)
        b[s][0] = a[s][0], b[s][1] = a[s][1];
      else
        twoRanks(x, j0, g, o + t + 4 * s, rank, even, b[s]);
    }
    Split left[4] = {Split(a[0][0]), Split(a[0][1]), Split(a[1][0]),
                     Split(a[1][1])};
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      Split right[2] = {Split(b[0][h]), Split(b[1][h])};
      mma(sums[h], left, right);
    }
  }
}

/// One block: its columns' part of ranks [16 ti, +16) by [16 tj, +16) of the
/// Gram matrix and, with `p` and tj = 0, of dE of the first; the first block of
/// a cluster adds the parts up.
__device__ void gramTile(const Factor &x, const Factor *p, bool isA, int rank,
                         int ti, int tj, int part, float weight, float *gram) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int g = lane / 4, t = lane % 4;
  int i0 = ti * kTripletTile, j0 = tj * kTripletTile;
  float sums[2][4] = {}, dE[2] = {};
  // Parts begin at multiples of 128: factors end in zeros, not in other parts.
  int size = kClusters
                 ? ((x.count + kTripletCluster - 1) / kTripletCluster + 127) /
                       128 * 128
                 : x.count;
  int first = part * size,
      end = first + size < x.count ? first + size : x.count;
  bool withE = p && tj == 0;
  if (isA && ti == tj && withE)
    sumColumns<true, true>(x, *p, rank, i0, j0, first, end, sums, dE);
  else if (isA && ti == tj)
    sumColumns<true, false>(x, x, rank, i0, j0, first, end, sums, dE);
  else if (isA && withE)
    sumColumns<false, true>(x, *p, rank, i0, j0, first, end, sums, dE);
  else if (isA)
    sumColumns<false, false>(x, x, rank, i0, j0, first, end, sums, dE);
  else if (ti == tj)
    sumRows<true>(x, rank, i0, j0, first, end, sums);
  else
    sumRows<false>(x, rank, i0, j0, first, end, sums);
  // Element (row, 8h + column) of a fragment of h: row g or g + 8, column 2t or
  // 2t + 1.
  __shared__ float tiles[8][16][17];
  __shared__ float ends[8][16];
#pragma unroll
  for (int h = 0; h < 2; ++h)
#pragma unroll
    for (int e = 0; e < 4; ++e)
      tiles[warp][g + 8 * (e / 2)][8 * h + 2 * t + e % 2] = sums[h][e];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float sum = dE[h];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    if (t == 0)
      ends[warp][g + 8 * h] = sum;
  }
  __syncthreads();
  [[maybe_unused]] __shared__ float
      whole[17][16]; // of this block; the last row is dE
  int row = threadIdx.x / 16, column = threadIdx.x % 16;
  float sum = 0, edge = 0;
#pragma unroll
  for (int w = 0; w < 8; ++w)
    sum += tiles[w][row][column];
  if (row == 0)
    for (int w = 0; w < 8; ++w)
      edge += ends[w][column];
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  auto cluster = cooperative_groups::this_cluster();
  whole[row][column] = sum;
  if (row == 0)
    whole[16][column] = edge;
  cluster.sync();
  if (part == 0)
    for (int other = 1; other < kTripletCluster; ++other) {
      auto theirs = reinterpret_cast<float(*)[16]>(
          cluster.map_shared_rank(&whole[0][0], other));
      sum += theirs[row][column];
      if (row == 0)
        edge += theirs[16][column];
    }
  cluster.sync(); // nobody leaves while others read
#endif
  if (part > 0)
    return;
  int i = rankOf(isA, i0, row % 8, row / 8);
  int j = rankOf(isA, j0, column % 8, column / 8);
  if (i < rank && j < rank)
    gram[i * rank + j] = weight * sum;
  if (tj == 0 && row == 0 && i0 + column < rank)
    gram[rank * rank + i0 + column] = weight * edge;
}

__device__ inline void grams(const float *params, const int64_t *table,
                             const float *gradients, float *out,
                             int64_t modules, int64_t rank) {
  waitForEarlierWork();
  bool isA = blockIdx.y < modules;
  Module m(table, isA ? blockIdx.y : blockIdx.y - modules);
  int r = int(rank), tiles = (r + kTripletTile - 1) / kTripletTile;
  int part = blockIdx.x % kTripletCluster, tile = blockIdx.x / kTripletCluster;
  if (!kClusters && part > 0)
    return;
  Factor x = factorOf(params, m, isA, r), p = x;
  if (isA && gradients)
    p = factorOf(gradients, m, true, r);
  gramTile(x, isA && gradients ? &p : nullptr, isA, r, tile / tiles,
           tile % tiles, part,
           m.weight(isA ? llm::kTripletAWeight : llm::kTripletBWeight),
           out + blockIdx.y * (rank * rank + rank));
}

} // namespace

extern "C" __global__ void LLAMAC_TRIPLET_CLUSTER __launch_bounds__(256, 2)
    triplet_grams(const float *params, const int64_t *table,
                  const float *gradients, float *out, int64_t modules,
                  int64_t rank) {
  grams(params, table, gradients, out, modules, rank);
}
/// The same without gradients: dE is 0.
extern "C" __global__ void LLAMAC_TRIPLET_CLUSTER __launch_bounds__(256, 2)
    triplet_grams_only(const float *params, const int64_t *table, float *out,
                       int64_t modules, int64_t rank) {
  grams(params, table, nullptr, out, modules, rank);
}
