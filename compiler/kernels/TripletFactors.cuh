//===- TripletFactors.cuh - AdaLoRA's factors as fragments ------*- C++ -*-===//
//
// How the kernels of Triplet*.cu find a module's factors in the flat buffers
// and load them for the tensor cores: m16n8k8 of tf32, lane = 4 g + t; a[0] is
// row g and column t, a[1] row g + 8, a[2] and a[3] the same at column t + 4;
// b[0] is row t and column g, b[1] row t + 4; c[0], c[1] row g, columns 2t and
// 2t + 1, c[2], c[3] row g + 8 (PTX ISA, "Matrix fragments for mma.m16n8k8").
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/WarpMatrix.cuh"
#include "dialects/llm/TripletTable.h"

namespace llamac::kernels {

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

/// A float32 as two tf32.
struct Split {
  uint32_t hi, lo;
  __device__ explicit Split(float x) {
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(hi) : "f"(x));
    float rest = x - __uint_as_float(hi);
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(lo) : "f"(rest));
  }
};

/// c += a b of m16n8k8.
__device__ inline void mma(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2,
                           uint32_t a3, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
/// The same in float32.
__device__ inline void mma(float (&c)[4], const Split (&a)[4],
                           const Split (&b)[2]) {
  mma(c, a[0].lo, a[1].lo, a[2].lo, a[3].lo, b[0].hi, b[1].hi);
  mma(c, a[0].hi, a[1].hi, a[2].hi, a[3].hi, b[0].lo, b[1].lo);
  mma(c, a[0].hi, a[1].hi, a[2].hi, a[3].hi, b[0].hi, b[1].hi);
}

struct Four {
  float x[4];
};

/// Elements c to c + 3 of rank i of A; zero beyond its ends.
__device__ inline Four fourColumns(const Factor &f, int i, int c, int rank,
                                   bool wide) {
  Four v = {};
  if (i >= rank || c >= f.count)
    return v;
  const float *at = f.base + i * f.rankPitch + c;
  if (wide) {
    float4 four = *reinterpret_cast<const float4 *>(at);
    return {four.x, four.y, four.z, four.w};
  }
#pragma unroll
  for (int q = 0; q < 4; ++q)
    if (c + q < f.count)
      v.x[q] = at[q];
  return v;
}

/// Lane (g, t) of a fragment has row g, here of the ranks [first, first + 16):
/// of A ranks g and g + 8, of B ranks 2g and 2g + 1, whose floats lie together.
__device__ inline int rankOf(bool isA, int first, int g, int half) {
  return first + (isA ? g + 8 * half : 2 * g + half);
}

/// Ranks 2g and 2g + 1 of row o of B; zero beyond its ends.
__device__ inline void twoRanks(const Factor &f, int first, int g, int o,
                                int rank, bool even, float (&v)[2]) {
  int i = first + 2 * g;
  v[0] = v[1] = 0;
  if (o >= f.count || i >= rank)
    return;
  const float *at = f.base + int64_t(o) * f.columnPitch + i;
  if (even) {
    float2 two = *reinterpret_cast<const float2 *>(at);
    v[0] = two.x;
    v[1] = two.y;
    return;
  }
  v[0] = at[0];
  if (i + 1 < rank)
    v[1] = at[1];
}

} // namespace llamac::kernels
