//===- AttentionForwardHopper.cu - Causal attention, bf16, sm_90a ---------===//
//
// The same function, parameters and results as AttentionForward.cu, for long
// sequences on Hopper.
//   grid (heads, slotCount(T, B, 128)), 384 threads; D is 64 or 128
// A block does 128 rows of a sequence for one head. Warpgroup 0 copies: q once,
// then tiles of 128 keys and values through two stages each; warpgroups 1 and 2
// compute, 64 rows each, with wgmma. While a warpgroup does the softmax of one
// tile its products with the values of the tile before still run
// (FlashAttention-3, Shah et al. 2024). The last tile of keys, which has the
// diagonal, comes first.
// Reference: test/compiler/kernels/AttentionReference.h. Test:
// test/gpu/attention.cpp.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/Warpgroup.cuh"

using namespace llamac::kernels;

namespace {

constexpr int kRows = 128, kThreads = 384, kStages = 2;

/// Loads alternate: K0, V0, K1, V1, ..
template <int D> struct Layout {
  static constexpr uint32_t tile = kRows * D * 2;
  static constexpr uint32_t q = 0, k = tile, v = k + kStages * tile,
                            barriers = v + kStages * tile;
  static __device__ uint32_t buffer(int load) {
    return (load % 2 ? v : k) + load / 2 % kStages * tile;
  }
};
using LoadRing = Ring<2 * kStages>;
using Registers = RegisterShares<72, 216>;

/// Running maximum and sum of the thread's two rows, and what to multiply
/// earlier sums with.
struct Softmax {
  float max[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0}, shrink[2];

  /// Scores become probabilities.
  __device__ inline void update(float (&s)[kRows / 8][4], float scale2) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float high = max[half];
#pragma unroll
      for (int n = 0; n < kRows / 8; ++n)
        high = fmaxf(high, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
      high = quadMax(high);
      shrink[half] = exp2Fast((max[half] - high) * scale2);
      max[half] = high;
      float offset = high * scale2, total = 0;
#pragma unroll
      for (int n = 0; n < kRows / 8; ++n)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          s[n][i] = exp2Fast(fmaf(s[n][i], scale2, -offset));
          total += s[n][i];
        }
      sum[half] = fmaf(sum[half], shrink[half], total);
    }
  }
};

__device__ inline void pack(uint32_t (&p)[kRows / 16][4],
                            const float (&s)[kRows / 8][4]) {
#pragma unroll
  for (int j = 0; j < kRows / 16; ++j)
    toA(p[j], s[2 * j], s[2 * j + 1]);
}

/// Warpgroups 1 and 2 (`member` 0 and 1).
template <int D>
__device__ inline void compute(uint32_t base, LoadRing ring, Bf16 *out,
                               float *lse, int64_t pitchOut, int heads,
                               int valid, int tiles, float scale, int member) {
  using L = Layout<D>;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  int g = lane / 4, t = lane % 4, first = member * 64 + warp * 16;
  uint32_t q = base + L::q + member * 64 * 128;
  bool leader = threadIdx.x % 128 == 0;
  float scale2 = scale * kLog2e;
  Softmax softmax;
  float result[D / 8][4] = {}, s[kRows / 8][4];
  uint32_t p[kRows / 16][4];

  ring.waitFull(0);
  productFence();
  multiplyShared<D, kRows, kRows>(s, q, base + L::buffer(0));
  productCommit();
  productWait<0>();
  hold(s);
  if (leader)
    barrierArrive(ring.empty(0));
#pragma unroll
  for (int n = 0; n < kRows / 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (n * 8 + 2 * t + (i & 1) > first + g + 8 * (i >> 1))
        s[n][i] = -INFINITY;
  softmax.update(s, scale2);
  pack(p, s);

  for (int tile = 1; tile < tiles; ++tile) {
    int keys = 2 * tile, values = keys - 1;
    ring.waitFull(keys);
    productFence();
    multiplyShared<D, kRows, kRows>(s, q, base + L::buffer(keys));
    productCommit();
    ring.waitFull(values);
    productFence();
    multiplyRegisters<kRows>(result, p, base + L::buffer(values));
    productCommit();
    productWait<1>();
    hold(s);
    if (leader)
      barrierArrive(ring.empty(keys));
    softmax.update(s, scale2);
    hold(s); // now, while the other product runs
    productWait<0>();
    hold(result);
    if (leader)
      barrierArrive(ring.empty(values));
#pragma unroll
    for (int n = 0; n < D / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        result[n][i] *= softmax.shrink[i >> 1];
    pack(p, s);
  }
  int values = 2 * tiles - 1;
  ring.waitFull(values);
  productFence();
  multiplyRegisters<kRows>(result, p, base + L::buffer(values));
  productCommit();
  productWait<0>();
  hold(result);

  float inverse[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = quadSum(softmax.sum[half]);
    inverse[half] = 1 / sum;
    int row = first + g + 8 * half;
    if (t == 0 && row < valid)
      lse[int64_t(row) * heads] =
          softmax.max[half] * scale + kLn2 * __log2f(sum);
  }
  // The rows of q are done with: out goes through them.
  warpgroupSync(1 + member);
  storeRows<kRows, D>(out + first * pitchOut, pitchOut, valid - first,
                      base + L::q, first, result, inverse);
}

template <int D>
__device__ inline void forward(const Bf16 *q, const Bf16 *k, const Bf16 *v,
                               const int32_t *cuSeqlens, Bf16 *out, float *lse,
                               int tokens, int sequences, int heads,
                               int kvHeads, int64_t pitchQ, int64_t pitchK,
                               int64_t pitchV, int64_t pitchOut, float scale) {
  using L = Layout<D>;
  extern __shared__ __align__(1024) unsigned char shared[];
  waitForEarlierWork();
  int thread = threadIdx.x, head = blockIdx.x;
  int kvHead = head / (heads / kvHeads);
  Place place = warpPlaceOfSlot(cuSeqlens, sequences, tokens, kRows,
                                gridDim.y - 1 - blockIdx.y);
  int valid = min(kRows, place.length - place.row);
  if (valid <= 0)
    return;
  int64_t first = place.start + place.row;
  out += first * pitchOut + head * D;
  lse += first * heads + head;
  if (place.sequence == sequences) {
    clearRows<D>(out, pitchOut, valid, thread, kThreads);
    for (int r = thread; r < valid; r += kThreads)
      lse[int64_t(r) * heads] = 0;
    return;
  }
  uint32_t base = (sharedAddress(shared) + 1023) & ~1023u;
  LoadRing ring{base + L::barriers};
  if (thread == 0)
    ring.init(2);
  __syncthreads();
  int tiles = place.row / kRows + 1;
  if (thread < 128) {
    Registers::copying();
    k += place.start * pitchK + kvHead * D;
    v += place.start * pitchV + kvHead * D;
    loadTile<kRows, D, 128>(base + L::q, q + first * pitchQ + head * D, pitchQ,
                            valid, thread);
    ring.fill<2>(2 * tiles, [&](int load) {
      int row = (tiles - 1 - load / 2) * kRows;
      int64_t pitch = load % 2 ? pitchV : pitchK;
      loadTile<kRows, D, 128>(base + L::buffer(load),
                              (load % 2 ? v : k) + row * pitch, pitch,
                              place.length - row, thread);
    });
  } else {
    Registers::computing();
    compute<D>(base, ring, out, lse, pitchOut, heads, valid, tiles, scale,
               thread / 128 - 1);
  }
}

} // namespace

#define LLAMAC_FORWARD(name, D)                                                \
  extern "C" __global__ void __launch_bounds__(kThreads, 1)                    \
      name(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,     \
           Bf16 *out, float *lse, int64_t tokens, int64_t sequences,           \
           int64_t heads, int64_t kvHeads, int64_t pitchQ, int64_t pitchK,     \
           int64_t pitchV, int64_t pitchOut, int64_t scaleBits) {              \
    forward<D>(q, k, v, cu, out, lse, int(tokens), int(sequences), int(heads), \
               int(kvHeads), pitchQ, pitchK, pitchV, pitchOut,                 \
               __uint_as_float(uint32_t(scaleBits)));                          \
  }
LLAMAC_FORWARD(attention_forward_hopper_bf16_d64, 64)
LLAMAC_FORWARD(attention_forward_hopper_bf16_d128, 128)
