//===- WarpMatrix.cuh - Tensor core building blocks -------------*- C++ -*-===//
//
// PTX wrappers (sm_80 and later) and the tile layout that the bf16 attention
// kernels share. A tile in shared memory has rows of 64 or 128 bf16, stored as
// panels of 64 columns: 128 bytes a row, the 16-byte chunks of row r permuted
// by xor with r % 8. ldmatrix then meets no bank conflict, and it is also what
// wgmma calls 128-byte swizzle (panels must start at multiples of 1024 bytes).
//
// Fragments of mma.m16n8k16, lane = 4 g + t: element pairs of A are rows g and
// g + 8, columns 2t and 2t + 8; of B column g, rows 2t and 2t + 8; of C rows g
// (c[0], c[1]) and g + 8 (c[2], c[3]), columns 2t, 2t + 1. (PTX ISA, "Matrix
// fragments for mma.m16n8k16".)
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/AttentionPlace.h"

#include <cstdint>

namespace llamac::kernels {

/// The bits of a bfloat16.
struct Bf16 {
  uint16_t bits;
};

__device__ inline float toFloat(Bf16 x) {
  return __uint_as_float(uint32_t(x.bits) << 16);
}
__device__ inline float lowFloat(uint32_t pair) {
  return __uint_as_float(pair << 16);
}
__device__ inline float highFloat(uint32_t pair) {
  return __uint_as_float(pair & 0xffff0000u);
}
/// Two floats rounded to bf16, `low` in the low half.
__device__ inline uint32_t packBf16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

/// 2^x by the special function unit, relative error 2^-22; 0 for -inf.
__device__ inline float exp2Fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
constexpr float kLog2e = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

/// Blocks launched ahead of their turn wait here for the work before them; the
/// work after may be launched from now on. Without that launch attribute, and
/// before sm_90, this does nothing.
__device__ inline void waitForEarlierWork() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// The tile of a slot, asked by all lanes of a warp: see AttentionPlace.h.
__device__ inline Place warpPlaceOfSlot(const int32_t *cuSeqlens, int sequences,
                                        int tokens, int rows, int slot) {
  int lane = threadIdx.x % 32, found = -1;
#pragma unroll 1
  for (int base = 0; base <= sequences; base += 32) {
    int s = base + lane;
    bool before = s <= sequences && firstSlot(cuSeqlens[s], s, rows) <= slot;
    found += __popc(__ballot_sync(0xffffffffu, before));
  }
  int start = cuSeqlens[found];
  int end = found == sequences ? tokens : cuSeqlens[found + 1];
  return placeIn(slot, found, start, end, rows);
}

__device__ inline uint32_t sharedAddress(const void *pointer) {
  return uint32_t(__cvta_generic_to_shared(pointer));
}

/// Copies 16 bytes to shared memory in the background, or clears them.
__device__ inline void copyAsync16(uint32_t target, const void *source,
                                   bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target),
               "l"(source), "r"(valid ? 16 : 0)
               : "memory");
}
__device__ inline void copyAsync4(uint32_t target, const void *source,
                                  bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(target),
               "l"(source), "r"(valid ? 4 : 0)
               : "memory");
}
__device__ inline void copyAsyncCommit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int Pending> __device__ inline void copyAsyncWait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

/// Byte offset of 8 elements (columns 8 chunk ..) in a tile of `Rows` rows.
template <int Rows> __device__ inline uint32_t tileOffset(int row, int chunk) {
  return uint32_t((chunk >> 3) * (Rows * 128) + row * 128 +
                  (((chunk ^ row) & 7) << 4));
}

/// Starts copying `Rows` rows of `Columns` bf16, `pitch` elements apart, to the
/// tile at `tile`; rows from `valid` on are cleared and not read. All `Threads`
/// threads of the caller take part, `thread` numbers them.
template <int Rows, int Columns, int Threads>
__device__ inline void loadTile(uint32_t tile, const Bf16 *source,
                                int64_t pitch, int valid, int thread) {
  constexpr int chunks = Columns / 8, step = Threads / chunks;
  static_assert(Threads % chunks == 0 && Rows % step == 0);
  int row = thread / chunks, chunk = thread % chunks;
  const Bf16 *from = source + row * pitch + chunk * 8;
#pragma unroll
  for (int i = 0; i < Rows / step; ++i, row += step, from += step * pitch)
    copyAsync16(tile + tileOffset<Rows>(row, chunk),
                row < valid ? from : source, row < valid);
}

__device__ inline void loadMatrix4(uint32_t (&r)[4], uint32_t address) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(address)
      : "memory");
}
__device__ inline void loadMatrix4Transposed(uint32_t (&r)[4],
                                             uint32_t address) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(address)
      : "memory");
}

/// The lane's address for rows `row` (its own, of 8 that start at a multiple of
/// 8) and chunk `chunk` 0 or 1; chunk 2 j + chunk of the same row is at
/// chunkPair(.., j). Computed once for a kernel: `tile` must be a multiple of
/// 128, and further rows and panels are plain additions.
__device__ inline uint32_t laneAddress(uint32_t tile, int row, int chunk) {
  return tile + row * 128 + (((chunk ^ row) & 7) << 4);
}
template <int Rows> __device__ inline uint32_t chunkPair(uint32_t lane, int j) {
  return (lane ^ ((j & 3) << 5)) + (j >> 2) * (Rows * 128);
}

/// Lane addresses of fragments. A: rows m .. m+15 and k 16 j .. of a tile
/// [m][k]: chunkPair(laneA + 128 m, j).
__device__ inline uint32_t laneA(uint32_t tile) {
  int lane = threadIdx.x % 32;
  return laneAddress(tile, lane & 15, lane >> 4);
}
/// B: columns n .. n+7 in b[0], b[1] and n+8 .. n+15 in b[2], b[3], of a tile
/// [n][k]: chunkPair(laneB + 128 n, j). A of a tile stored [k][m], k from k on,
/// rows 16 j ..: chunkPair(laneB + 128 k, j), transposed.
__device__ inline uint32_t laneB(uint32_t tile) {
  int lane = threadIdx.x % 32;
  return laneAddress(tile, (lane & 7) + ((lane >> 4) << 3), (lane >> 3) & 1);
}
/// B of a tile stored [k][n], k from k on, columns 16 j ..: transposed, and the
/// lanes' places are those of A: chunkPair(laneA + 128 k, j).

/// d += a b, 16 x 8 x 16.
__device__ inline void multiplyAdd(float (&d)[4], const uint32_t (&a)[4],
                                   uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
      "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Accumulators of columns 16 j .. 16 j + 15 as an A fragment.
__device__ inline void toA(uint32_t (&a)[4], const float (&left)[4],
                           const float (&right)[4]) {
  a[0] = packBf16(left[0], left[1]);
  a[1] = packBf16(left[2], left[3]);
  a[2] = packBf16(right[0], right[1]);
  a[3] = packBf16(right[2], right[3]);
}

/// Stores a warp's 16 rows of accumulators times `scale[0]` (rows g) and
/// `scale[1]` (rows g + 8): through its own rows of a tile, then 16 bytes a
/// lane. Rows from `valid` on are not written.
template <int Rows, int Columns>
__device__ inline void
storeRows(Bf16 *target, int64_t pitch, int valid, uint32_t tile, int row,
          const float (&c)[Columns / 8][4], const float (&scale)[2]) {
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int n = 0; n < Columns / 8; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      asm volatile("st.shared.b32 [%0], %1;" ::"r"(
                       tile + tileOffset<Rows>(row + g + 8 * half, n) + 4 * t),
                   "r"(packBf16(c[n][2 * half] * scale[half],
                                c[n][2 * half + 1] * scale[half]))
                   : "memory");
  __syncwarp();
  constexpr int chunks = Columns / 8, step = 32 / chunks;
#pragma unroll
  for (int i = 0; i < 16 / step; ++i) {
    int r = lane / chunks + i * step, chunk = lane % chunks;
    uint4 data;
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(data.x), "=r"(data.y), "=r"(data.z), "=r"(data.w)
                 : "r"(tile + tileOffset<Rows>(row + r, chunk))
                 : "memory");
    if (r < valid)
      *reinterpret_cast<uint4 *>(target + r * pitch + chunk * 8) = data;
  }
}

/// Clears `rows` rows of `Columns` elements, by all `threads` threads.
template <int Columns>
__device__ inline void clearRows(Bf16 *target, int64_t pitch, int rows,
                                 int thread, int threads) {
#pragma unroll 1
  for (int i = thread; i < rows * (Columns / 8); i += threads)
    *reinterpret_cast<uint4 *>(target + i / (Columns / 8) * pitch +
                               i % (Columns / 8) * 8) = uint4{0, 0, 0, 0};
}

/// Sum or maximum over the four lanes that hold one row of accumulators.
__device__ inline float quadMax(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ inline float quadSum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

} // namespace llamac::kernels
