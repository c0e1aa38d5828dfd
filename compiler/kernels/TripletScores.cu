//===- TripletScores.cu - AdaLoRA's scores and masks ----------------------===//
//
// M modules of rank r; `table` i64 [M, kTripletFields] says where the factors A
// [r, in], E [r, 1] and B [out, r] of each lie in flat buffers of f32, and what
// part of them counts here (dialects/llm/TripletTable.h). What it computes:
// dialects/llm/LlmTripletOps.td. Sums run in a fixed order: equal inputs give
// equal bytes.
//   triplet_scores: reads sensitivity, uncertainty, allocation i64 [2], table;
//     writes scores f32 [3M, r]; grid (r, 3M), 512 threads
//   triplet_mask: reads scores f32 [M, r], allocation, table; writes params and
//     kept f32 [M, r]; one block of 1024 threads
//   scalars M, r
// Reference and tests: test/passes/codegen/TripletReference.h,
// test/gpu/triplets.cpp, which times it, too. Needs sm_80.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/TripletFactors.cuh"

using namespace llamac::kernels;

namespace {

__device__ inline float4 product(const float *s, const float *u) {
  float4 x = __ldcs(reinterpret_cast<const float4 *>(s));
  float4 y = __ldcs(reinterpret_cast<const float4 *>(u));
  return {x.x * y.x, x.y * y.y, x.z * y.z, x.w * y.w};
}
__device__ inline void add(float4 &sum, const float4 &x) {
  sum.x += x.x, sum.y += x.y, sum.z += x.z, sum.w += x.w;
}

/// The sum of s u over `count` elements; in thread 0.
__device__ float rowScore(const float *s, const float *u, int count,
                          float *parts) {
  float4 sums = {};
  float sum = 0;
  if (count % 4 == 0)
#pragma unroll 4
    for (int c = threadIdx.x * 4; c < count; c += blockDim.x * 4)
      add(sums, product(s + c, u + c));
  else
    for (int c = threadIdx.x; c < count; c += blockDim.x)
      sum += s[c] * u[c];
  sum = warpSum(sum + ((sums.x + sums.y) + (sums.z + sums.w)));
  if (threadIdx.x % 32 == 0)
    parts[threadIdx.x / 32] = sum;
  __syncthreads();
  for (int w = 1; w < int(blockDim.x) / 32; ++w)
    sum += parts[w];
  return sum;
}

/// The sums of s u over the rows of B, a number for each rank. Threads go on by
/// whole rows, so that each stays with its `width` ranks.
__device__ void columnScores(const float *s, const float *u, int rows, int rank,
                             int width, float mean, float *parts, float *out) {
  int groups = rank / width, active = int(blockDim.x) / groups * groups;
  int count = rows * rank;
  float4 sums = {};
  if (int(threadIdx.x) < active) {
    if (width == 4)
#pragma unroll 8
      for (int at = threadIdx.x * 4; at < count; at += active * 4)
        add(sums, product(s + at, u + at));
    else
      for (int at = threadIdx.x; at < count; at += active)
        sums.x += s[at] * u[at];
  }
  float each[4] = {sums.x, sums.y, sums.z, sums.w};
  for (int q = 0; q < width; ++q) {
    parts[threadIdx.x] = each[q];
    __syncthreads();
    if (int(threadIdx.x) < groups) {
      float sum = 0;
      for (int from = threadIdx.x; from < active; from += groups)
        sum += parts[from];
      out[threadIdx.x * width + q] = sum * mean;
    }
    __syncthreads();
  }
}

} // namespace

extern "C" __global__ void __launch_bounds__(512)
    triplet_scores(const float *sensitivity, const float *uncertainty,
                   const int64_t *allocation, const int64_t *table,
                   float *scores, int64_t modules, int64_t rank) {
  __shared__ float parts[512];
  waitForEarlierWork();
  if (allocation[0] != 1 && allocation[0] != 2)
    return;
  int kind = blockIdx.y / modules, r = int(rank), i = blockIdx.x;
  Module m(table, blockIdx.y - kind * modules);
  float *out = scores + blockIdx.y * rank;
  if (kind == 0) { // A: a block a row
    int64_t columns = m.at(llm::kTripletColumns);
    int64_t first = m.at(llm::kTripletA) + i * columns;
    float sum =
        rowScore(sensitivity + first, uncertainty + first, int(columns), parts);
    if (threadIdx.x == 0)
      out[i] = sum * m.weight(llm::kTripletAMean);
  } else if (i == 0 && kind == 1) { // B: one block
    int64_t first = m.at(llm::kTripletB);
    columnScores(sensitivity + first, uncertainty + first,
                 int(m.at(llm::kTripletRows)), r, r % 4 == 0 ? 4 : 1,
                 m.weight(llm::kTripletBMean), parts, out);
  } else if (i == 0) { // E
    for (int q = threadIdx.x; q < r; q += blockDim.x) {
      int64_t at = m.at(llm::kTripletE) + q;
      out[q] =
          sensitivity[at] * uncertainty[at] * m.weight(llm::kTripletEWeight);
    }
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
