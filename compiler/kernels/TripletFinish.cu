//===- TripletFinish.cu - Gradients of AdaLoRA's triplets -----------------===//
//
// M modules of rank r; `table` i64 [M, kTripletFields] says where the factors A
// [r, in], E [r, 1] and B [out, r] of each lie in flat buffers of f32, and what
// part of them counts here (dialects/llm/TripletTable.h). What it computes:
// dialects/llm/LlmTripletOps.td. Sums run in a fixed order: equal inputs give
// equal bytes.
//   reads  gradients, params, grams f32 [2M, r*r + r], norms f32 [2M], table
//   writes the gradients, in their place
//   scalars M, r, the factor as the bits of a float; grid (kTripletChunks, 2M),
//   256 threads, shared r * ceil16(r) floats
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

using namespace llamac::kernels;

namespace {

/// D's element as two tf32; zero beyond its ends.
__device__ inline Split deviationAt(const float *deviation, int padded,
                                    int rank, int row, int column) {
  return row < rank && column < rank ? Split(deviation[row * padded + column])
                                     : Split(0.0f);
}

/// Columns [c, c + 32) of E P + D A: ranks [i0, i0 + 16) of the result, by one
/// warp. Lane (g, t) loads 4 columns of ranks t, t + 4, ... and stores 8 of
/// ranks g and g + 8. `left` is D's fragment of all ranks if there are at most
/// 16, else null.
__device__ inline void finishColumns(const Factor &x, float *gradients,
                                     const float (&scale)[2],
                                     const float *deviation, int padded,
                                     int rank, int i0, int c,
                                     const Split (*left)[4]) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  float4 p[2][2];
#pragma unroll
  for (int h = 0; h < 2; ++h)
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      int i = i0 + g + 8 * h, column = c + 8 * t + 4 * k;
      if (i < rank && column < x.count)
        p[h][k] = *reinterpret_cast<const float4 *>(gradients +
                                                    i * x.rankPitch + column);
    }
  float sums[4][4] = {};
  auto product = [&](const Split(&d)[4], const Four &low, const Four &high) {
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      Split right[2] = {Split(low.x[q]), Split(high.x[q])};
      mma(sums[q], d, right);
    }
  };
  if (left) {
    Four a[4];
#pragma unroll
    for (int k = 0; k < 4; ++k)
      a[k] = fourColumns(x, t + 4 * k, c + 4 * g, rank, true);
    product(left[0], a[0], a[1]);
    product(left[1], a[2], a[3]);
  } else {
    for (int j0 = 0; j0 < rank; j0 += 8) {
      Four low = fourColumns(x, j0 + t, c + 4 * g, rank, true);
      Four high = fourColumns(x, j0 + t + 4, c + 4 * g, rank, true);
      auto d = [&](int row, int column) {
        return deviationAt(deviation, padded, rank, row, column);
      };
      Split part[4] = {d(i0 + g, j0 + t), d(i0 + g + 8, j0 + t),
                       d(i0 + g, j0 + t + 4), d(i0 + g + 8, j0 + t + 4)};
      product(part, low, high);
    }
  }
  // Of block q column n is c + 4n + q: a lane's n are 2t and 2t + 1.
#pragma unroll
  for (int h = 0; h < 2; ++h)
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      int i = i0 + g + 8 * h, column = c + 8 * t + 4 * k;
      if (i < rank && column < x.count)
        *reinterpret_cast<float4 *>(gradients + i * x.rankPitch + column) = {
            scale[h] * p[h][k].x + sums[0][2 * h + k],
            scale[h] * p[h][k].y + sums[1][2 * h + k],
            scale[h] * p[h][k].z + sums[2][2 * h + k],
            scale[h] * p[h][k].w + sums[3][2 * h + k]};
    }
}

/// Rows [o, o + 16) of gradients + B D: ranks [j0, j0 + 16) of the result, by
/// one warp. Lane (g, t) has 4 ranks of rows g and g + 8. `right` is D's
/// fragment of all ranks if there are at most 16, else null: [step][block][2].
__device__ inline void finishRows(const Factor &x, float *gradients,
                                  const float *deviation, int padded, int rank,
                                  int j0, int o, const Split (*right)[2][2]) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  float4 v[2];
#pragma unroll
  for (int h = 0; h < 2; ++h)
    if (o + g + 8 * h < x.count && j0 + 4 * t < rank)
      v[h] = *reinterpret_cast<const float4 *>(
          gradients + int64_t(o + g + 8 * h) * rank + j0 + 4 * t);
  float sums[2][4] = {};
  auto row = [&](int h, int i) {
    int at = o + g + 8 * h;
    if (at >= x.count || i >= rank)
      return float4{};
    return *reinterpret_cast<const float4 *>(x.base + int64_t(at) * rank + i);
  };
  for (int i0 = 0; i0 < rank; i0 += 16) {
    float4 low = row(0, i0 + 4 * t), high = row(1, i0 + 4 * t);
    float a[2][4] = {{low.x, low.y, low.z, low.w},
                     {high.x, high.y, high.z, high.w}};
#pragma unroll
    for (int step = 0; step < 2; ++step) {
      int q = 2 * step;
      Split left[4] = {Split(a[0][q]), Split(a[1][q]), Split(a[0][q + 1]),
                       Split(a[1][q + 1])};
#pragma unroll
      for (int block = 0; block < 2; ++block) {
        if (right) {
          mma(sums[block], left, right[step][block]);
          continue;
        }
        int j = j0 + 4 * (g / 2) + 2 * block + g % 2, i = i0 + 4 * t + q;
        Split part[2] = {deviationAt(deviation, padded, rank, i, j),
                         deviationAt(deviation, padded, rank, i + 1, j)};
        mma(sums[block], left, part);
      }
    }
  }
#pragma unroll
  for (int h = 0; h < 2; ++h)
    if (o + g + 8 * h < x.count && j0 + 4 * t < rank)
      *reinterpret_cast<float4 *>(gradients + int64_t(o + g + 8 * h) * rank +
                                  j0 + 4 * t) = {
          v[h].x + sums[0][2 * h], v[h].y + sums[0][2 * h + 1],
          v[h].z + sums[1][2 * h], v[h].w + sums[1][2 * h + 1]};
}

/// All of a matrix's columns (rows) that a block has, where 16-byte accesses
/// fit.
__device__ void finishWide(const Factor &x, float *gradients, const float *e,
                           const float *deviation, int padded, int rank,
                           bool isA) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  int step = isA ? 32 : 16, warps = gridDim.x * blockDim.x / 32;
  int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  auto d = [&](int row, int column) {
    return deviationAt(deviation, padded, rank, row, column);
  };
  if (isA && rank <= kTripletTile) {
    Split left[2][4] = {
        {d(g, t), d(g + 8, t), d(g, t + 4), d(g + 8, t + 4)},
        {d(g, t + 8), d(g + 8, t + 8), d(g, t + 12), d(g + 8, t + 12)}};
    float scale[2] = {g < rank ? e[g] : 0, g + 8 < rank ? e[g + 8] : 0};
#pragma unroll 2
    for (int c = warp * step; c < x.count; c += warps * step)
      finishColumns(x, gradients, scale, deviation, padded, rank, 0, c, left);
  } else if (isA) {
    for (int c = warp * step; c < x.count; c += warps * step)
      for (int i0 = 0; i0 < rank; i0 += kTripletTile) {
        int i = i0 + g;
        float scale[2] = {i < rank ? e[i] : 0, i + 8 < rank ? e[i + 8] : 0};
        finishColumns(x, gradients, scale, deviation, padded, rank, i0, c,
                      nullptr);
      }
  } else if (rank <= kTripletTile) {
    int j = 4 * (g / 2) + g % 2, i = 4 * t;
    Split right[2][2][2] = {
        {{d(i, j), d(i + 1, j)}, {d(i, j + 2), d(i + 1, j + 2)}},
        {{d(i + 2, j), d(i + 3, j)}, {d(i + 2, j + 2), d(i + 3, j + 2)}}};
#pragma unroll 2
    for (int o = warp * step; o < x.count; o += warps * step)
      finishRows(x, gradients, deviation, padded, rank, 0, o, right);
  } else {
    for (int o = warp * step; o < x.count; o += warps * step)
      for (int j0 = 0; j0 < rank; j0 += kTripletTile)
        finishRows(x, gradients, deviation, padded, rank, j0, o, nullptr);
  }
}

} // namespace

extern "C" __global__ void __launch_bounds__(256, 3)
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
  if (isA ? x.count % 4 == 0 : r % 4 == 0)
    return finishWide(x, gradients + base, e, deviation, padded, r, isA);
  for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < x.count;
       c += gridDim.x * blockDim.x)
    for (int i = 0; i < r; ++i) {
      float sum = 0;
      for (int j = 0; j < r; ++j)
        sum += deviation[i * padded + j] * x(j, c);
      float &g = gradients[base + i * x.rankPitch + c * x.columnPitch];
      g = (isA ? e[i] * g : g) + sum;
    }
}
