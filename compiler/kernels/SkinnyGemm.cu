//===- SkinnyGemm.cu - Products with few rows and few columns -------------===//
//
// D[M,N] = A[M,K] B, bf16 with f32 sums, where D is much smaller than what is
// read: the adapters' products, N = 64 and M a few hundred tokens. The suffix
// _nt: B is stored [N,K]; _nn: B is stored [K,N]. Then the tile, the warps of a
// block and the chunks that each keeps in flight.
//   reads  A, B; 16-byte aligned
//   writes D, 4-byte aligned; only its N columns
//   scalars M, N, K and the pitches of A, B and D, in elements; N, K and the
//          first two pitches are multiples of 8, the last is even
//   grid (8, ceil(M / rows), ceil(N / columns)), clusters of 8 blocks
// A cluster has one tile of D and splits K (SkinnyGemmPlace.h). Each warp has
// its own ring of chunks in shared memory, so the loop has no block barrier;
// warps' sums are added in order, sent to the block that stores them through
// distributed shared memory, and added there in the order of the blocks: equal
// inputs give equal bytes. Split K inside a cluster: "Thread Block Clusters",
// CUDA C++ Programming Guide. Needs sm_90.
// Tests: test/gpu/skinny.cpp, test/compiler/kernels/SkinnyGemmPlaceTest.cpp.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/SkinnyGemmPlace.h"
#include "compiler/kernels/WarpMatrix.cuh"

using namespace llamac::kernels;

namespace {

extern __shared__ __align__(1024) unsigned char sharedMemory[];

__device__ inline void clusterArrive() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ inline void clusterWait() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
/// Stores two floats at `address` in the shared memory of block `rank`.
__device__ inline void storeRemote(uint32_t address, int rank, float2 x) {
  uint32_t remote;
  asm("mapa.shared::cluster.u32 %0, %1, %2;"
      : "=r"(remote)
      : "r"(address), "r"(rank));
  asm volatile("st.shared::cluster.v2.f32 [%0], {%1, %2};" ::"r"(remote),
               "f"(x.x), "f"(x.y)
               : "memory");
}
__device__ inline void prefetch(const Bf16 *address) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
}

/// A warp starts copying `Rows` rows of `Chunks` 16-byte chunks, `pitch`
/// elements apart, to a tile. `source` is where the lane's first chunk comes
/// from. Rows from `valid` on, and chunks of lanes that are not `inside`,
/// become 0 and are not read.
template <int Rows, int Chunks>
__device__ inline void copyPanel(uint32_t tile, const Bf16 *source,
                                 int64_t pitch, int valid, bool inside) {
  constexpr int step = 32 / Chunks;
  int lane = threadIdx.x % 32, row = lane / Chunks, chunk = lane % Chunks;
#pragma unroll
  for (int i = 0; i < Rows / step; ++i)
    copyAsync16(tile + skinnyOffset<Chunks>(row + i * step, chunk),
                source + i * step * pitch, inside && row + i * step < valid);
}

template <int Rows, int Columns, int Warps, int Stages, bool Transposed>
__device__ inline void skinny(const Bf16 *a, const Bf16 *b, Bf16 *d, int64_t m,
                              int64_t n, int64_t k, int64_t lda, int64_t ldb,
                              int64_t ldd) {
  constexpr int threads = 32 * Warps, share = skinnyShare(Rows, Columns);
  constexpr int bytesA = Rows * kSkinnyChunk * 2;
  constexpr int stageBytes = (Rows + Columns) * kSkinnyChunk * 2;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, rank = blockIdx.x;
  int row0 = blockIdx.y * Rows, column0 = blockIdx.z * Columns;
  SkinnyRange range = skinnyRange(k, rank);
  clusterArrive();

  // B is a weight, which nothing writes meanwhile; a prefetch reads no value,
  // so it may even come too early. Blocks of one B tile share the lines.
  {
    int lines = (range.end - range.first) * (Transposed ? Columns : 64);
    for (int i = blockIdx.y * threads + threadIdx.x; i < lines;
         i += gridDim.y * threads) {
      int64_t row, column;
      if (Transposed) {
        row = column0 + i % Columns;
        column = int64_t(range.first + i / Columns) * kSkinnyChunk;
        if (row < n)
          prefetch(b + row * ldb + column);
      } else {
        row = int64_t(range.first) * kSkinnyChunk + i;
        if (row < k)
          prefetch(b + row * ldb + column0);
      }
    }
  }
  waitForEarlierWork();

  // Tiles of B in shared memory are stored as B is: [columns][64],
  // [64][columns].
  constexpr int rowsB = Transposed ? Columns : kSkinnyChunk;
  constexpr int chunksB = Transposed ? 8 : Columns / 8;
  int rowsA = int(m - row0 < Rows ? m - row0 : Rows);
  int columnsB = int(n - column0 < Columns ? n - column0 : Columns);
  const Bf16 *fromA = a + (row0 + lane / 8) * lda + lane % 8 * 8;
  const Bf16 *fromB = Transposed ? b + (column0 + lane / 8) * ldb + lane % 8 * 8
                                 : b + int64_t(lane / chunksB) * ldb + column0 +
                                       lane % chunksB * 8;

  uint32_t received = sharedAddress(sharedMemory);
  uint32_t ring = received + Rows * Columns * 4 + warp * stageBytes;
  int rounds = skinnyRounds(range, warp, Warps);
  auto copy = [&](int round) {
    if (round < rounds) {
      int64_t at = int64_t(range.first + warp + round * Warps) * kSkinnyChunk;
      int rest = int(k - at < kSkinnyChunk ? k - at : kSkinnyChunk);
      uint32_t tile = ring + round % Stages * (Warps * stageBytes);
      bool inside = lane % 8 * 8 < rest;
      copyPanel<Rows, 8>(tile, fromA + at, lda, rowsA, inside);
      copyPanel<rowsB, chunksB>(
          tile + bytesA, Transposed ? fromB + at : fromB + at * ldb, ldb,
          Transposed ? columnsB : rest,
          Transposed ? inside : lane % chunksB * 8 < columnsB);
    }
    copyAsyncCommit();
  };
#pragma unroll
  for (int i = 0; i < Stages - 1; ++i)
    copy(i);

  float sums[Rows / 16][Columns / 8][4] = {};
  for (int round = 0; round < rounds; ++round) {
    copyAsyncWait<Stages - 2>();
    __syncwarp(); // all lanes' copies are there, and the last round was read
    copy(round + Stages - 1);
    uint32_t tileA = ring + round % Stages * (Warps * stageBytes);
    uint32_t tileB = tileA + bytesA;
#pragma unroll
    for (int j = 0; j < kSkinnyChunk / 16; ++j) {
      uint32_t fa[Rows / 16][4];
#pragma unroll
      for (int i = 0; i < Rows / 16; ++i)
        loadMatrix4(fa[i], tileA + skinnyOffset<8>(16 * i + (lane & 15),
                                                   2 * j + (lane >> 4)));
#pragma unroll
      for (int c = 0; c < Columns / 16; ++c) {
        uint32_t fb[4];
        if (Transposed)
          loadMatrix4(fb, tileB + skinnyOffset<8>(16 * c + (lane & 7) +
                                                      ((lane >> 4) << 3),
                                                  2 * j + ((lane >> 3) & 1)));
        else
          loadMatrix4Transposed(
              fb, tileB + skinnyOffset<Columns / 8>(16 * j + (lane & 15),
                                                    2 * c + (lane >> 4)));
#pragma unroll
        for (int i = 0; i < Rows / 16; ++i) {
          multiplyAdd(sums[i][2 * c], fa[i], fb[0], fb[1]);
          multiplyAdd(sums[i][2 * c + 1], fa[i], fb[2], fb[3]);
        }
      }
    }
  }
  copyAsyncWait<0>();
  __syncwarp();

  // The warp's sums over its first stage, which only it used.
  auto partial = [&](int w) {
    return reinterpret_cast<float2 *>(sharedMemory + Rows * Columns * 4 +
                                      w * stageBytes);
  };
  float2 *mine = partial(warp);
#pragma unroll
  for (int i = 0; i < Rows / 16; ++i)
#pragma unroll
    for (int c = 0; c < Columns / 8; ++c)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        mine[64 * (i * (Columns / 8) + c) + 32 * half + lane] =
            float2{sums[i][c][2 * half], sums[i][c][2 * half + 1]};
  __syncthreads();
  clusterWait(); // every block of the cluster has begun
#pragma unroll
  for (int p = threadIdx.x; p < skinnyPairs(Rows, Columns); p += threads) {
    float2 sum = partial(0)[p];
#pragma unroll
    for (int w = 1; w < Warps; ++w) {
      float2 x = partial(w)[p];
      sum.x += x.x;
      sum.y += x.y;
    }
    storeRemote(received + (rank * share + p % share) * 8, p / share, sum);
  }
  clusterArrive();
  clusterWait();
  // Nobody writes to or reads from another block after this.
  for (int p = threadIdx.x; p < share; p += threads) {
    const float2 *from = reinterpret_cast<const float2 *>(sharedMemory) + p;
    float2 sum = from[0];
#pragma unroll
    for (int r = 1; r < kSkinnyCluster; ++r) {
      sum.x += from[r * share].x;
      sum.y += from[r * share].y;
    }
    SkinnyPair at = skinnyPair(rank * share + p, Columns);
    if (at.row < rowsA && at.column < columnsB)
      *reinterpret_cast<uint32_t *>(d + (row0 + at.row) * ldd + column0 +
                                    at.column) = packBf16(sum.x, sum.y);
  }
}

} // namespace

#define SKINNY(layout, transposed, rows, columns, warps, stages)               \
  extern "C" __global__ void __cluster_dims__(kSkinnyCluster, 1, 1)            \
      __launch_bounds__(32 * warps)                                            \
          skinny_gemm_##layout##_##rows##x##columns##_##warps##x##stages(      \
              const Bf16 *a, const Bf16 *b, Bf16 *d, int64_t m, int64_t n,     \
              int64_t k, int64_t lda, int64_t ldb, int64_t ldd) {              \
    skinny<rows, columns, warps, stages, transposed>(a, b, d, m, n, k, lda,    \
                                                     ldb, ldd);                \
  }
#define SKINNY_BOTH(rows, columns, warps, stages)                              \
  SKINNY(nt, true, rows, columns, warps, stages)                               \
  SKINNY(nn, false, rows, columns, warps, stages)

// SkinnyGemm.cpp has the same list.
SKINNY_BOTH(16, 32, 4, 4)
SKINNY_BOTH(16, 32, 8, 4)
SKINNY_BOTH(32, 32, 4, 3)
SKINNY_BOTH(32, 32, 8, 3)
SKINNY_BOTH(32, 64, 4, 4)
SKINNY_BOTH(64, 64, 4, 3)
SKINNY_BOTH(64, 64, 2, 3)
