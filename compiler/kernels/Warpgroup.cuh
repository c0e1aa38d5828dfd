//===- Warpgroup.cuh - Hopper building blocks -------------------*- C++ -*-===//
//
// PTX wrappers for sm_90a: products by a warpgroup (four warps that begin at a
// multiple of four), barriers in shared memory, register shares. Tiles are
// those of WarpMatrix.cuh and begin at multiples of 1024 bytes; a warpgroup's
// accumulators are, warp by warp, 16 rows of mma.m16n8k16's.
//
// Descriptors (PTX ISA, "Matrix-descriptor format"): both operands are read
// with 128-byte swizzle. Where the inner dimension lies along the 128 bytes,
// groups of 8 rows are 1024 bytes apart; where it lies across them (a tile
// [inner][columns], "transposed"), groups of 8 inner elements are, and panels
// of 64 columns are Rows * 128 bytes apart.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/WarpMatrix.cuh"

namespace llamac::kernels {

/// Operand with its inner dimension along rows of 128 bytes, from an address in
/// a panel; 16 further inner elements are 32 bytes on.
__device__ inline uint64_t descriptor(uint32_t address) {
  return uint64_t((address & 0x3ffff) >> 4) | uint64_t(1) << 16 |
         uint64_t(1024 >> 4) << 32 | uint64_t(1) << 62;
}
/// Operand of a tile [inner][columns] of `Rows` rows; 16 further inner elements
/// are 2048 bytes on.
template <int Rows>
__device__ inline uint64_t descriptorTransposed(uint32_t address) {
  return uint64_t((address & 0x3ffff) >> 4) | uint64_t(Rows * 128 >> 4) << 16 |
         uint64_t(1024 >> 4) << 32 | uint64_t(1) << 62;
}

/// d (+)= a b, asynchronous, 64 x N x 16. `shared`: both operands by
/// descriptor(); `registers`: a as A fragments, b by descriptorTransposed()
/// where Transposed is 1.
template <int N> struct Product;

#define LLAMAC_D4(n) "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3])

template <> struct Product<64> {
  static __device__ inline void shared(float (&d)[8][4], uint64_t a, uint64_t b,
                                       bool add) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %34, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "
        "%30, %31"
        "}, %32, %33, p, 1, 1, 0, 0;}"
        : LLAMAC_D4(0), LLAMAC_D4(1), LLAMAC_D4(2), LLAMAC_D4(3), LLAMAC_D4(4),
          LLAMAC_D4(5), LLAMAC_D4(6), LLAMAC_D4(7)
        : "l"(a), "l"(b), "r"(int(add)));
  }
  template <int Transposed>
  static __device__ inline void
  registers(float (&d)[8][4], const uint32_t (&a)[4], uint64_t b, bool add) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %37, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "
        "%30, %31"
        "}, {%32, %33, %34, %35}, %36, p, 1, 1, %38;}"
        : LLAMAC_D4(0), LLAMAC_D4(1), LLAMAC_D4(2), LLAMAC_D4(3), LLAMAC_D4(4),
          LLAMAC_D4(5), LLAMAC_D4(6), LLAMAC_D4(7)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int(add)),
          "n"(Transposed));
  }
};

template <> struct Product<128> {
  static __device__ inline void shared(float (&d)[16][4], uint64_t a,
                                       uint64_t b, bool add) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %66, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "
        "%30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, "
        "%46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "
        "%62, %63"
        "}, %64, %65, p, 1, 1, 0, 0;}"
        : LLAMAC_D4(0), LLAMAC_D4(1), LLAMAC_D4(2), LLAMAC_D4(3), LLAMAC_D4(4),
          LLAMAC_D4(5), LLAMAC_D4(6), LLAMAC_D4(7), LLAMAC_D4(8), LLAMAC_D4(9),
          LLAMAC_D4(10), LLAMAC_D4(11), LLAMAC_D4(12), LLAMAC_D4(13),
          LLAMAC_D4(14), LLAMAC_D4(15)
        : "l"(a), "l"(b), "r"(int(add)));
  }
  template <int Transposed>
  static __device__ inline void
  registers(float (&d)[16][4], const uint32_t (&a)[4], uint64_t b, bool add) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %69, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "
        "%30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, "
        "%46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "
        "%62, %63"
        "}, {%64, %65, %66, %67}, %68, p, 1, 1, %70;}"
        : LLAMAC_D4(0), LLAMAC_D4(1), LLAMAC_D4(2), LLAMAC_D4(3), LLAMAC_D4(4),
          LLAMAC_D4(5), LLAMAC_D4(6), LLAMAC_D4(7), LLAMAC_D4(8), LLAMAC_D4(9),
          LLAMAC_D4(10), LLAMAC_D4(11), LLAMAC_D4(12), LLAMAC_D4(13),
          LLAMAC_D4(14), LLAMAC_D4(15)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int(add)),
          "n"(Transposed));
  }
};
#undef LLAMAC_D4

/// Around products: before the first that touches registers written otherwise;
/// after the last of a batch; wait until at most `Pending` batches run.
__device__ inline void productFence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void productCommit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int Pending> __device__ inline void productWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
/// Keeps the compiler from moving uses of accumulators over a wait.
template <int N> __device__ inline void hold(float (&d)[N][4]) {
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      asm volatile("" : "+f"(d[n][i])::"memory");
}

/// d (+)= a b^T over D: tiles a (64 rows from address a on) and b (N rows), of
/// RowsA and RowsB rows.
template <int D, int RowsA, int RowsB, int N>
__device__ inline void multiplyShared(float (&d)[N][4], uint32_t a,
                                      uint32_t b) {
#pragma unroll
  for (int kk = 0; kk < D / 16; ++kk)
    Product<N * 8>::shared(
        d, descriptor(a + (kk / 4) * (RowsA * 128) + kk % 4 * 32),
        descriptor(b + (kk / 4) * (RowsB * 128) + kk % 4 * 32), kk > 0);
}
/// d += a b: a in registers, 64 x 16 K, b a tile [16 K][N * 8] of Rows rows.
template <int Rows, int K, int N>
__device__ inline void
multiplyRegisters(float (&d)[N][4], const uint32_t (&a)[K][4], uint32_t b) {
#pragma unroll
  for (int j = 0; j < K; ++j)
    Product<N * 8>::template registers<1>(
        d, a[j], descriptorTransposed<Rows>(b + j * 2048), true);
}
/// d = a b^T: a in registers, b a tile [N * 8][16 K] of Rows rows.
template <int Rows, int K, int N>
__device__ inline void
multiplyRegistersRows(float (&d)[N][4], const uint32_t (&a)[K][4], uint32_t b) {
#pragma unroll
  for (int j = 0; j < K; ++j)
    Product<N * 8>::template registers<0>(
        d, a[j], descriptor(b + (j / 4) * (Rows * 128) + j % 4 * 32), j > 0);
}

/// Barriers in shared memory (mbarrier), by address.
__device__ inline void barrierInit(uint32_t barrier, int arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier),
               "r"(arrivals)
               : "memory");
}
__device__ inline void barrierArrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Waits for the phase of this parity to end.
__device__ inline void barrierWait(uint32_t barrier, uint32_t parity) {
  asm volatile("{.reg .pred p; again: mbarrier.try_wait.parity.shared.b64 p, "
               "[%0], %1; @p bra done; bra again; done: }" ::"r"(barrier),
               "r"(parity)
               : "memory");
}
/// Writes to shared memory so far become visible to products.
__device__ inline void fenceForProducts() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/// Numbers 0, 1, .. of loads that go round `Count` buffers, each with a barrier
/// that says it is full (the copying warpgroup's 128 threads arrive) and one
/// that says it is empty again. 16 bytes of shared memory a buffer.
template <int Count> struct Ring {
  uint32_t barriers;

  __device__ inline void init(int readers) const {
    for (int i = 0; i < Count; ++i) {
      barrierInit(full(i), 128);
      barrierInit(empty(i), readers);
    }
  }
  __device__ inline uint32_t full(int load) const {
    return barriers + load % Count * 16;
  }
  __device__ inline uint32_t empty(int load) const { return full(load) + 8; }
  __device__ inline void waitFull(int load) const {
    barrierWait(full(load), load / Count & 1);
  }
  __device__ inline void waitEmpty(int load) const {
    if (load >= Count)
      barrierWait(empty(load), (load / Count & 1) ^ 1);
  }
  /// The copying warpgroup's loop: copy(load) starts a load; `Lag` loads stay
  /// under way beside the newest.
  template <int Lag, typename Copy>
  __device__ inline void fill(int loads, Copy copy) const {
    for (int load = 0; load < loads + Lag; ++load) {
      if (load < loads) {
        waitEmpty(load);
        copy(load);
      }
      copyAsyncCommit();
      if (load >= Lag) {
        copyAsyncWait<Lag>();
        fenceForProducts();
        barrierArrive(full(load - Lag));
      }
    }
  }
};

/// Threads of one warpgroup meet; `id` 1 .. 15 is theirs.
__device__ inline void warpgroupSync(int id) {
  asm volatile("bar.sync %0, 128;" ::"r"(id) : "memory");
}

/// Registers a thread of one copying and two computing warpgroups, which all
/// begin with 168. A sum over what the block has would wait for ever.
template <int Copying, int Computing> struct RegisterShares {
  static_assert(Copying + 2 * Computing <= 3 * 168);
  static __device__ inline void copying() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Copying));
  }
  static __device__ inline void computing() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Computing));
  }
};

} // namespace llamac::kernels
