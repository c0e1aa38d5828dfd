//===- Triplets.cu - AdaLoRA's kernels over all modules -------------------===//
//
// M modules of rank r; `table` i64 [M, kTripletFields] says where the factors A
// [r, in], E [r, 1] and B [out, r] of each lie in flat buffers of f32, and what
// part of them counts here (dialects/llm/TripletTable.h). What each kernel
// computes: the llm.triplet_* ops (dialects/llm/LlmTripletOps.td).
//   triplet_grams   reads params, table, gradients; writes grams [2M, r*r + r]
//                   grid (T*T + 1, 2M), T = ceil(r/16), 128 threads
//   triplet_finish  reads gradients, params, grams, norms [2M], table; writes
//                   the gradients; grid (kTripletChunks, 2M), 256 threads,
//                   shared r * ceil16(r) floats
//   triplet_scores  reads sensitivity, uncertainty, allocation, table; writes
//                   [3M, r]; grid (r, 3M), 256 threads
//   triplet_mask    reads scores [M, r], allocation, table; writes params and
//                   kept [M, r]; one block of 1024 threads
// Scalars: M, r, and for triplet_finish the factor as the bits of a float. Sums
// run in a fixed order: equal inputs give equal bytes.
// Reference and tests: test/passes/codegen/TripletReference.h,
// test/gpu/triplets.cpp. Needs sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/TripletsPlace.h"
#include "compiler/kernels/WarpMatrix.cuh"
#include "dialects/llm/TripletTable.h"

using namespace llamac::kernels;

namespace {

struct Module {
  const int64_t *row;
  __device__ Module(const int64_t *table, int64_t module)
      : row(table + module * llm::kTripletFields) {}
  __device__ int64_t at(llm::TripletField field) const { return row[field]; }
  __device__ float weight(llm::TripletField field) const {
    return __uint_as_float(uint32_t(row[field]));
  }
};

__device__ inline float warpSum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

/// Element i of column c of A, or of row c of B.
struct Factor {
  const float *base;
  int64_t rankPitch, columnPitch;
  int count; // columns of A, rows of B
  __device__ float operator()(int i, int c) const {
    return base[i * rankPitch + c * columnPitch];
  }
};

__device__ inline Factor factorOf(const float *flat, const Module &m, bool isA,
                                  int rank) {
  if (isA) {
    int64_t columns = m.at(llm::kTripletColumns);
    return {flat + m.at(llm::kTripletA), columns, 1, int(columns)};
  }
  return {flat + m.at(llm::kTripletB), 1, rank, int(m.at(llm::kTripletRows))};
}

/// Rows [16 ti, +16) by columns [16 tj, +16) of a Gram matrix. The first two
/// warps have 8 columns, the others the next 8; lanes have columns of A (rows
/// of B) 64 apart.
__device__ void gramTile(const Factor &x, int rank, int ti, int tj,
                         float weight, float *gram) {
  int half = threadIdx.x / 64, slot = threadIdx.x % 64;
  int i0 = ti * kTripletTile, j0 = tj * kTripletTile + half * 8;
  float sums[16][8] = {};
  for (int c = slot; c < x.count; c += 64) {
    float a[16], b[8];
#pragma unroll
    for (int i = 0; i < 16; ++i)
      a[i] = i0 + i < rank ? x(i0 + i, c) : 0.0f;
#pragma unroll
    for (int j = 0; j < 8; ++j)
      b[j] = j0 + j < rank ? x(j0 + j, c) : 0.0f;
#pragma unroll
    for (int i = 0; i < 16; ++i)
#pragma unroll
      for (int j = 0; j < 8; ++j)
        sums[i][j] += a[i] * b[j];
  }
  __shared__ float other[2][128];
  int lane = threadIdx.x % 32;
  bool second = slot >= 32;
#pragma unroll
  for (int i = 0; i < 16; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      float sum = warpSum(sums[i][j]);
      if (lane == (i * 8 + j) % 32)
        sums[i][j] = sum;
    }
#pragma unroll
  for (int i = 0; i < 16; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j)
      if (second && lane == (i * 8 + j) % 32)
        other[half][i * 8 + j] = sums[i][j];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 16; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j)
      if (!second && lane == (i * 8 + j) % 32 && i0 + i < rank && j0 + j < rank)
        gram[(i0 + i) * rank + j0 + j] =
            weight * (sums[i][j] + other[half][i * 8 + j]);
}

} // namespace

extern "C" __global__ void __launch_bounds__(128)
    triplet_grams(const float *params, const int64_t *table,
                  const float *gradients, float *grams, int64_t modules,
                  int64_t rank) {
  waitForEarlierWork();
  bool isA = blockIdx.y < modules;
  Module m(table, isA ? blockIdx.y : blockIdx.y - modules);
  int r = int(rank), tiles = (r + kTripletTile - 1) / kTripletTile;
  float *row = grams + blockIdx.y * (rank * rank + rank);
  float weight = m.weight(isA ? llm::kTripletAWeight : llm::kTripletBWeight);
  Factor x = factorOf(params, m, isA, r);
  if (blockIdx.x < tiles * tiles)
    return gramTile(x, r, blockIdx.x / tiles, blockIdx.x % tiles, weight, row);
  // The last block of a row: dE, a warp a triplet.
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int i = warp; i < r; i += 4) {
    float sum = 0;
    if (isA && gradients) {
      Factor p = factorOf(gradients, m, true, r);
#pragma unroll 8
      for (int c = lane; c < x.count; c += 32)
        sum += p(i, c) * x(i, c);
    }
    sum = warpSum(sum);
    if (lane == 0)
      row[r * r + i] = weight * sum;
  }
}

/// The same without gradients: dE is 0.
extern "C" __global__ void __launch_bounds__(128)
    triplet_grams_only(const float *params, const int64_t *table, float *grams,
                       int64_t modules, int64_t rank) {
  waitForEarlierWork();
  bool isA = blockIdx.y < modules;
  Module m(table, isA ? blockIdx.y : blockIdx.y - modules);
  int r = int(rank), tiles = (r + kTripletTile - 1) / kTripletTile;
  float *row = grams + blockIdx.y * (rank * rank + rank);
  if (blockIdx.x < tiles * tiles)
    return gramTile(
        factorOf(params, m, isA, r), r, blockIdx.x / tiles, blockIdx.x % tiles,
        m.weight(isA ? llm::kTripletAWeight : llm::kTripletBWeight), row);
  for (int i = threadIdx.x; i < r; i += blockDim.x)
    row[r * r + i] = 0;
}

extern "C" __global__ void __launch_bounds__(256)
    triplet_finish(const float *, const float *params, const float *grams,
                   const float *norms, const int64_t *table, float *gradients,
                   int64_t modules, int64_t rank, int64_t factorBits) {
  extern __shared__ float deviation[]; // (G - I) * factor / norm, rows padded
  waitForEarlierWork();
  bool isA = blockIdx.y < modules;
  Module m(table, isA ? blockIdx.y : blockIdx.y - modules);
  int r = int(rank);
  int padded = (r + kTripletTile - 1) / kTripletTile * kTripletTile;
  const float *row = grams + blockIdx.y * (rank * rank + rank);
  float norm = norms[blockIdx.y];
  float slope = norm > 0 ? __uint_as_float(uint32_t(factorBits)) / norm : 0.0f;
  for (int at = threadIdx.x; at < r * padded; at += blockDim.x) {
    int i = at / padded, j = at % padded;
    deviation[at] =
        j < r ? slope * (row[i * r + j] - (i == j ? 1.0f : 0.0f)) : 0.0f;
  }
  __syncthreads();
  Factor x = factorOf(params, m, isA, r);
  const float *e = params + m.at(llm::kTripletE);
  int64_t base = m.at(isA ? llm::kTripletA : llm::kTripletB);
  if (isA && blockIdx.x == 0)
    for (int i = threadIdx.x; i < r; i += blockDim.x)
      gradients[m.at(llm::kTripletE) + i] = row[r * r + i];
  bool wide = !isA && r % 4 == 0;
  for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < x.count;
       c += gridDim.x * blockDim.x)
    for (int i0 = 0; i0 < r; i0 += kTripletTile) {
      float sums[kTripletTile] = {};
      auto add = [&](int j, float value) {
        const float4 *d =
            reinterpret_cast<const float4 *>(deviation + j * padded + i0);
#pragma unroll
        for (int q = 0; q < kTripletTile / 4; ++q) {
          float4 four = d[q];
          sums[4 * q] += four.x * value;
          sums[4 * q + 1] += four.y * value;
          sums[4 * q + 2] += four.z * value;
          sums[4 * q + 3] += four.w * value;
        }
      };
      if (wide) {
        auto from = reinterpret_cast<const float4 *>(x.base + int64_t(c) * r);
#pragma unroll 4
        for (int j = 0; j < r / 4; ++j) {
          float4 four = from[j];
          add(4 * j, four.x);
          add(4 * j + 1, four.y);
          add(4 * j + 2, four.z);
          add(4 * j + 3, four.w);
        }
        auto to =
            reinterpret_cast<float4 *>(gradients + base + int64_t(c) * r + i0);
#pragma unroll
        for (int q = 0; q < kTripletTile / 4; ++q)
          if (i0 + 4 * q < r) {
            float4 g = to[q];
            to[q] = {g.x + sums[4 * q], g.y + sums[4 * q + 1],
                     g.z + sums[4 * q + 2], g.w + sums[4 * q + 3]};
          }
        continue;
      }
#pragma unroll 8
      for (int j = 0; j < r; ++j)
        add(j, x(j, c));
#pragma unroll
      for (int i = 0; i < kTripletTile; ++i)
        if (i0 + i < r) {
          int64_t at = base + (i0 + i) * x.rankPitch + c * x.columnPitch;
          float g = gradients[at];
          gradients[at] = (isA ? e[i0 + i] * g : g) + sums[i];
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
    triplet_scores(const float *sensitivity, const float *uncertainty,
                   const int64_t *allocation, const int64_t *table,
                   float *scores, int64_t modules, int64_t rank) {
  waitForEarlierWork();
  if (allocation[0] != 1 && allocation[0] != 2)
    return;
  int kind = blockIdx.y / modules, r = int(rank), i = blockIdx.x;
  Module m(table, blockIdx.y - kind * modules);
  float *out = scores + blockIdx.y * rank;
  __shared__ float parts[256];
  if (kind == 2) { // E
    int64_t at = m.at(llm::kTripletE) + i;
    if (threadIdx.x == 0)
      out[i] =
          sensitivity[at] * uncertainty[at] * m.weight(llm::kTripletEWeight);
    return;
  }
  if (kind == 0) { // a block a row of A
    int64_t columns = m.at(llm::kTripletColumns);
    int64_t first = m.at(llm::kTripletA) + i * columns;
    float sum = 0;
#pragma unroll 4
    for (int c = threadIdx.x; c < columns; c += 256)
      sum += sensitivity[first + c] * uncertainty[first + c];
    sum = warpSum(sum);
    if (threadIdx.x % 32 == 0)
      parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int w = 1; w < 8; ++w)
        sum += parts[w];
      out[i] = sum * m.weight(llm::kTripletAMean);
    }
    return;
  }
  // B lies row by row: block i takes a slice of the ranks, 256 / width rows at
  // a time, where `width` ranks are a slice.
  int width = r < 8 ? r : 8;
  if (i % width)
    return;
  int ranks = r - i < width ? r - i : width, step = 256 / width;
  int j = threadIdx.x % width, start = threadIdx.x / width;
  int rows = int(m.at(llm::kTripletRows));
  int64_t first = m.at(llm::kTripletB) + i;
  float sum = 0;
  if (j < ranks && start < step)
#pragma unroll 8
    for (int o = start; o < rows; o += step) {
      int64_t at = first + int64_t(o) * r + j;
      sum += sensitivity[at] * uncertainty[at];
    }
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x < ranks) {
    for (int s = 1; s < step; ++s)
      sum += parts[s * width + threadIdx.x];
    out[i + threadIdx.x] = sum * m.weight(llm::kTripletBMean);
  }
}

namespace {

/// The k-th smallest (k >= 1) of n floats that are not negative, whose bits
/// order as they do: one byte of it in each of four rounds.
__device__ float kthSmallest(const float *values, int n, int64_t k) {
  __shared__ int counts[256];
  __shared__ uint32_t prefix;
  __shared__ int64_t left;
  if (threadIdx.x == 0) {
    prefix = 0;
    left = k;
  }
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int b = threadIdx.x; b < 256; b += blockDim.x)
      counts[b] = 0;
    __syncthreads();
    uint32_t high = shift == 24 ? 0 : 0xffffffffu << (shift + 8);
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
      uint32_t bits = __float_as_uint(values[i]);
      if ((bits & high) == prefix)
        atomicAdd(&counts[bits >> shift & 255], 1);
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      int lane = threadIdx.x, mine = 0;
      for (int b = 0; b < 8; ++b)
        mine += counts[lane * 8 + b];
      int before = mine;
#pragma unroll
      for (int step = 1; step < 32; step *= 2) {
        int other = __shfl_up_sync(0xffffffffu, before, step);
        if (lane >= step)
          before += other;
      }
      before -= mine;
      int64_t wanted = left;
      __syncwarp();
      if (before < wanted && wanted <= before + mine) {
        int b = 0;
        while (before + counts[lane * 8 + b] < wanted)
          before += counts[lane * 8 + b++];
        prefix |= uint32_t(lane * 8 + b) << shift;
        left = wanted - before;
      }
    }
    __syncthreads();
  }
  return __uint_as_float(prefix);
}

} // namespace

extern "C" __global__ void __launch_bounds__(1024)
    triplet_mask(const float *, const float *, const float *scores,
                 const int64_t *allocation, const int64_t *table, float *params,
                 float *kept, int64_t modules, int64_t rank) {
  waitForEarlierWork();
  int64_t mode = allocation[0], k = allocation[1];
  if (mode == 0)
    return;
  int n = int(modules * rank);
  if (mode == 1 || mode == 2) {
    bool any = k >= 1 && k <= n;
    float threshold = any ? kthSmallest(scores, n, k) : 0.0f;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
      kept[i] = !any || scores[i] > threshold ? 1.0f : 0.0f;
  }
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    if (!(kept[i] > 0))
      params[Module(table, i / rank).at(llm::kTripletE) + i % rank] = 0.0f;
}
