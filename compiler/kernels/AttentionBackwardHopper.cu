//===- AttentionBackwardHopper.cu - Gradient, bf16, sm_90a ----------------===//
//
// The kernels of AttentionBackward.cu, their parameters, order and results, for
// long sequences on Hopper.
//   attention_grad_q_hopper   grid (heads, slotCount(T, B, 128)), 384 threads
//   attention_grad_kv_hopper  grid (kv_heads, slotCount(T, B, 128)), 384
//   threads
// D is 64 or 128. Warpgroup 0 copies tiles of 64 rows through a ring;
// warpgroups 1 and 2 compute with wgmma, 64 of the block's 128 rows each, so
// that one's arithmetic covers the other's exponentials.
// grad_q: a block's rows are queries, whose dout stays in registers; it
// meets the keys from the first on. grad_kv: a block's rows are keys; it meets
// the queries of each head of the group from the diagonal on, with scores
// transposed, so that p^T and ds^T are left operands in registers.
// Reference: test/compiler/kernels/AttentionReference.h. Test:
// test/gpu/attention.cpp.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/Warpgroup.cuh"

using namespace llamac::kernels;

namespace {

constexpr int kRows = 128, kStep = 64, kThreads = 384, kStages = 4;
using LoadRing = Ring<kStages>;
using Registers = RegisterShares<56, 224>;

/// Two tiles of the block's rows, then stages of two tiles of 64 rows and 512
/// bytes, then two floats for each of the rows, then the barriers.
template <int D> struct Layout {
  static constexpr uint32_t tile = kRows * D * 2, step = kStep * D * 2;
  static constexpr uint32_t a = 0, b = tile, stages = 2 * tile,
                            logs = stages + kStages * 2 * step,
                            barriers = logs + kStages * 512;
  static __device__ uint32_t stage(int load) {
    return stages + load % kStages * 2 * step;
  }
  static __device__ uint32_t logsOf(int load) {
    return logs + load % kStages * 512;
  }
};

__device__ inline void pack(uint32_t (&p)[kStep / 16][4],
                            const float (&s)[kStep / 8][4]) {
#pragma unroll
  for (int j = 0; j < kStep / 16; ++j)
    toA(p[j], s[2 * j], s[2 * j + 1]);
}

/// delta of the warpgroup's 64 rows to shared and global memory.
template <int D>
__device__ inline void sumDelta(const Bf16 *out, const Bf16 *dout,
                                int64_t pitchOut, int64_t pitchDout, int heads,
                                int valid, float *deltas, float *delta) {
  constexpr int lanes = D / 8;
  int thread = threadIdx.x % 128;
#pragma unroll
  for (int i = 0; i < 64 * lanes / 128; ++i) {
    int r = (thread + i * 128) / lanes, column = thread % lanes * 8;
    float sum = 0;
    if (r < valid) {
      uint4 x = *reinterpret_cast<const uint4 *>(out + r * pitchOut + column);
      uint4 y = *reinterpret_cast<const uint4 *>(dout + r * pitchDout + column);
      const uint32_t *xs = &x.x, *ys = &y.x;
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        sum = fmaf(lowFloat(xs[e]), lowFloat(ys[e]), sum);
        sum = fmaf(highFloat(xs[e]), highFloat(ys[e]), sum);
      }
    }
#pragma unroll
    for (int step = lanes / 2; step > 0; step /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (thread % lanes == 0) {
      deltas[r] = sum;
      if (r < valid)
        delta[int64_t(r) * heads] = sum;
    }
  }
}

/// A warpgroup of grad_q: loads `load` .. `loads` of keys, the first with the
/// diagonal. rowDelta, log2s: of rows g and g + 8.
template <int D>
__device__ inline void computeQ(uint32_t base, LoadRing ring, Bf16 *dq,
                                int64_t pitchDq, int valid, int load, int loads,
                                float scale, int member, const float *rowDelta,
                                const float *log2s) {
  using L = Layout<D>;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  int g = lane / 4, t = lane % 4, first = member * 64 + warp * 16;
  bool leader = threadIdx.x % 128 == 0;
  float scale2 = scale * kLog2e;
  uint32_t dout[D / 16][4], ds[kStep / 16][4];
  float grad[D / 8][4] = {}, s[kStep / 8][4], dp[kStep / 8][4];

  ring.waitFull(0);
#pragma unroll
  for (int kk = 0; kk < D / 16; ++kk) {
    loadMatrix4(dout[kk],
                chunkPair<kRows>(laneA(base + L::b) + first * 128, kk));
  }
  auto scores = [&](int load) {
    uint32_t keys = base + L::stage(load);
    ring.waitFull(load);
    productFence();
    multiplyShared<D, kRows, kStep>(s, base + L::a + member * 64 * 128, keys);
    productCommit();
    multiplyRegistersRows<kStep>(dp, dout, keys + L::step);
    productCommit();
  };
  auto gradient = [&](int load) {
    productFence();
    multiplyRegisters<kStep>(grad, ds, base + L::stage(load));
    productCommit();
  };
  auto probabilities = [&](bool diagonal) {
    hold(s);
#pragma unroll
    for (int n = 0; n < kStep / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        s[n][i] = exp2Fast(fmaf(s[n][i], scale2, -log2s[i >> 1]));
        if (diagonal && n * 8 + 2 * t + (i & 1) > warp * 16 + g + 8 * (i >> 1))
          s[n][i] = 0;
      }
    hold(s); // now, while products run
  };
  auto differences = [&] {
    hold(dp);
#pragma unroll
    for (int n = 0; n < kStep / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        dp[n][i] = s[n][i] * (dp[n][i] - rowDelta[i >> 1]);
    hold(dp);
  };
  scores(load);
  productWait<1>();
  probabilities(true);
  productWait<0>();
  differences();
  pack(ds, dp);
  for (; load + 1 < loads; ++load) {
    scores(load + 1);
    gradient(load);
    productWait<2>();
    probabilities(false);
    productWait<1>();
    differences();
    productWait<0>();
    hold(grad);
    if (leader)
      barrierArrive(ring.empty(load));
    pack(ds, dp);
  }
  gradient(load);
  productWait<0>();
  hold(grad);
  // The rows of q are done with: dq goes through them.
  warpgroupSync(1 + member);
  storeRows<kRows, D>(dq + first * pitchDq, pitchDq, valid - first, base + L::a,
                      first, grad, {scale, scale});
}

template <int D>
__device__ inline void
gradQ(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cuSeqlens,
      const Bf16 *out, const float *lse, const Bf16 *dout, Bf16 *dq,
      float *delta, int tokens, int sequences, int heads, int kvHeads,
      int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchOut,
      int64_t pitchDout, int64_t pitchDq, float scale) {
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
  dq += first * pitchDq + head * D;
  delta += first * heads + head;
  if (place.sequence == sequences) {
    clearRows<D>(dq, pitchDq, valid, thread, kThreads);
    for (int r = thread; r < valid; r += kThreads)
      delta[int64_t(r) * heads] = 0;
    return;
  }
  uint32_t base = (sharedAddress(shared) + 1023) & ~1023u;
  LoadRing ring{base + L::barriers};
  int members = valid > 64 ? 2 : 1;
  if (thread == 0)
    ring.init(members);
  __syncthreads();
  // Keys end at the last warpgroup's diagonal.
  int tiles = place.row / kStep + members;
  dout += first * pitchDout + head * D;
  if (thread < 128) {
    Registers::copying();
    k += place.start * pitchK + kvHead * D;
    v += place.start * pitchV + kvHead * D;
    loadTile<kRows, D, 128>(base + L::a, q + first * pitchQ + head * D, pitchQ,
                            valid, thread);
    loadTile<kRows, D, 128>(base + L::b, dout, pitchDout, valid, thread);
    ring.fill<2>(tiles, [&](int load) {
      int row = (tiles - 1 - load) * kStep;
      loadTile<kStep, D, 128>(base + L::stage(load), k + row * pitchK, pitchK,
                              place.length - row, thread);
      loadTile<kStep, D, 128>(base + L::stage(load) + L::step, v + row * pitchV,
                              pitchV, place.length - row, thread);
    });
  } else {
    Registers::computing();
    int member = thread / 128 - 1, row = member * 64;
    if (row >= valid)
      return;
    float *deltas = reinterpret_cast<float *>(
        shared + (base - sharedAddress(shared)) + L::logs + row * 4);
    sumDelta<D>(out + (first + row) * pitchOut + head * D,
                dout + row * pitchDout, pitchOut, pitchDout, heads, valid - row,
                deltas, delta + int64_t(row) * heads);
    warpgroupSync(1 + member);
    float rowDelta[2], log2s[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int r = thread / 32 % 4 * 16 + thread % 32 / 4 + 8 * half;
      rowDelta[half] = deltas[r];
      log2s[half] =
          row + r < valid ? lse[(first + row + r) * heads + head] * kLog2e : 0;
    }
    // The first of two keys' tiles is after all rows of member 0.
    int skip = members - 1 - member;
    if (skip && thread % 128 == 0)
      barrierArrive(ring.empty(0));
    computeQ<D>(base, ring, dq, pitchDq, valid, skip, tiles, scale, member,
                rowDelta, log2s);
  }
}

/// A warpgroup of grad_kv: `members` heads with `tiles` tiles of queries each;
/// the warpgroup's diagonal is in tile `member`.
template <int D>
__device__ inline void
computeKv(uint32_t base, const unsigned char *shared, LoadRing ring, Bf16 *dk,
          Bf16 *dv, int64_t pitchDk, int64_t pitchDv, int valid, int tiles,
          int group, float scale, int member) {
  using L = Layout<D>;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  int g = lane / 4, t = lane % 4, first = member * 64 + warp * 16;
  bool leader = threadIdx.x % 128 == 0;
  float scale2 = scale * kLog2e;
  uint32_t keys = base + L::a + member * 64 * 128,
           values = base + L::b + member * 64 * 128;
  uint32_t p[kStep / 16][4] = {};
  float gradK[D / 8][4] = {}, gradV[D / 8][4] = {};
  float s[kStep / 8][4], dp[kStep / 8][4];

  // p rounded, where s was: registers are short.
  auto probability = [&](int n, int i) {
    uint32_t pair = p[n / 2][n % 2 * 2 + i / 2];
    return i & 1 ? highFloat(pair) : lowFloat(pair);
  };

  hold(gradK);
  hold(gradV);
  int load = 0;
  auto addTile = [&](bool diagonal) {
    ring.waitFull(load);
    uint32_t queries = base + L::stage(load), douts = queries + L::step;
    productFence();
    multiplyShared<D, kRows, kStep>(s, keys, queries);
    productCommit();
    multiplyShared<D, kRows, kStep>(dp, values, douts);
    productCommit();
    productWait<1>();
    hold(s);
    const float *logs =
        reinterpret_cast<const float *>(shared + L::logsOf(load) + 2 * t * 4);
#pragma unroll
    for (int n = 0; n < kStep / 8; ++n) {
      float2 log = *reinterpret_cast<const float2 *>(logs + n * 8);
      log.x *= -kLog2e;
      log.y *= -kLog2e;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        s[n][i] = exp2Fast(fmaf(s[n][i], scale2, i & 1 ? log.y : log.x));
        if (diagonal && n * 8 + 2 * t + (i & 1) < warp * 16 + g + 8 * (i >> 1))
          s[n][i] = 0;
      }
    }
    pack(p, s);
    productFence();
    multiplyRegisters<kStep>(gradV, p, douts);
    productCommit();
    productWait<1>();
    hold(dp);
#pragma unroll
    for (int n = 0; n < kStep / 8; ++n) {
      float2 delta = *reinterpret_cast<const float2 *>(logs + kStep + n * 8);
#pragma unroll
      for (int i = 0; i < 4; ++i)
        dp[n][i] = probability(n, i) * (dp[n][i] - (i & 1 ? delta.y : delta.x));
    }
    uint32_t ds[kStep / 16][4];
    pack(ds, dp);
    productFence();
    multiplyRegisters<kStep>(gradK, ds, queries);
    productCommit();
    productWait<0>();
    hold(gradK);
    hold(gradV);
    if (leader)
      barrierArrive(ring.empty(load));
  };
  for (int head = 0; head < group; ++head) {
    if (member > 0) { // the first queries are all before these keys
      ring.waitFull(load);
      if (leader)
        barrierArrive(ring.empty(load));
      ++load;
    }
    for (int tile = member; tile < tiles; ++tile, ++load)
      addTile(tile == member);
  }
  // The rows of k and v are done with: the results go through them.
  warpgroupSync(1 + member);
  storeRows<kRows, D>(dk + first * pitchDk, pitchDk, valid - first, base + L::a,
                      first, gradK, {scale, scale});
  storeRows<kRows, D>(dv + first * pitchDv, pitchDv, valid - first, base + L::b,
                      first, gradV, {1, 1});
}

template <int D>
__device__ inline void
gradKv(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cuSeqlens,
       const float *lse, const Bf16 *dout, const float *delta, Bf16 *dk,
       Bf16 *dv, int tokens, int sequences, int heads, int kvHeads,
       int64_t pitchQ, int64_t pitchK, int64_t pitchV, int64_t pitchDout,
       int64_t pitchDk, int64_t pitchDv, float scale) {
  using L = Layout<D>;
  extern __shared__ __align__(1024) unsigned char shared[];
  waitForEarlierWork();
  int thread = threadIdx.x, kvHead = blockIdx.x, group = heads / kvHeads;
  // First tiles have the most query rows, and first slots start first.
  Place place =
      warpPlaceOfSlot(cuSeqlens, sequences, tokens, kRows, blockIdx.y);
  int valid = min(kRows, place.length - place.row);
  if (valid <= 0)
    return;
  int64_t first = place.start + place.row;
  dk += first * pitchDk + kvHead * D;
  dv += first * pitchDv + kvHead * D;
  if (place.sequence == sequences) {
    clearRows<D>(dk, pitchDk, valid, thread, kThreads);
    clearRows<D>(dv, pitchDv, valid, thread, kThreads);
    return;
  }
  uint32_t base = (sharedAddress(shared) + 1023) & ~1023u;
  LoadRing ring{base + L::barriers};
  if (thread == 0)
    ring.init(2);
  __syncthreads();
  int tiles = (place.length - place.row + kStep - 1) / kStep;
  if (thread < 128) {
    Registers::copying();
    loadTile<kRows, D, 128>(base + L::a, k + first * pitchK + kvHead * D,
                            pitchK, valid, thread);
    loadTile<kRows, D, 128>(base + L::b, v + first * pitchV + kvHead * D,
                            pitchV, valid, thread);
    int head = kvHead * group, row = 0, rows = place.length - place.row;
    ring.fill<2>(tiles * group, [&](int load) {
      int64_t from = first + row;
      int rest = rows - row;
      uint32_t target = base + L::stage(load);
      loadTile<kStep, D, 128>(target, q + from * pitchQ + head * D, pitchQ,
                              rest, thread);
      loadTile<kStep, D, 128>(target + L::step,
                              dout + from * pitchDout + head * D, pitchDout,
                              rest, thread);
      int r = thread % kStep;
      const float *source = thread < kStep ? lse : delta;
      copyAsync4(base + L::logsOf(load) + thread * 4,
                 r < rest ? source + (from + r) * heads + head : source,
                 r < rest);
      row += kStep;
      if (row >= rows) {
        row = 0;
        ++head;
      }
    });
  } else {
    Registers::computing();
    computeKv<D>(base, shared + (base - sharedAddress(shared)), ring, dk, dv,
                 pitchDk, pitchDv, valid, tiles, group, scale,
                 thread / 128 - 1);
  }
}

} // namespace

#define LLAMAC_BACKWARD(nameQ, nameKv, D)                                      \
  extern "C" __global__ void __launch_bounds__(kThreads, 1)                    \
      nameQ(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,    \
            const Bf16 *out, const float *lse, const Bf16 *dout, Bf16 *dq,     \
            float *delta, int64_t tokens, int64_t sequences, int64_t heads,    \
            int64_t kvHeads, int64_t pitchQ, int64_t pitchK, int64_t pitchV,   \
            int64_t pitchOut, int64_t pitchDout, int64_t pitchDq,              \
            int64_t scaleBits) {                                               \
    gradQ<D>(q, k, v, cu, out, lse, dout, dq, delta, int(tokens),              \
             int(sequences), int(heads), int(kvHeads), pitchQ, pitchK, pitchV, \
             pitchOut, pitchDout, pitchDq,                                     \
             __uint_as_float(uint32_t(scaleBits)));                            \
  }                                                                            \
  extern "C" __global__ void __launch_bounds__(kThreads, 1)                    \
      nameKv(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int32_t *cu,   \
             const float *lse, const Bf16 *dout, const float *delta, Bf16 *dk, \
             Bf16 *dv, int64_t tokens, int64_t sequences, int64_t heads,       \
             int64_t kvHeads, int64_t pitchQ, int64_t pitchK, int64_t pitchV,  \
             int64_t pitchDout, int64_t pitchDk, int64_t pitchDv,              \
             int64_t scaleBits) {                                              \
    gradKv<D>(q, k, v, cu, lse, dout, delta, dk, dv, int(tokens),              \
              int(sequences), int(heads), int(kvHeads), pitchQ, pitchK,        \
              pitchV, pitchDout, pitchDk, pitchDv,                             \
              __uint_as_float(uint32_t(scaleBits)));                           \
  }
LLAMAC_BACKWARD(attention_grad_q_hopper_bf16_d64,
                attention_grad_kv_hopper_bf16_d64, 64)
LLAMAC_BACKWARD(attention_grad_q_hopper_bf16_d128,
                attention_grad_kv_hopper_bf16_d128, 128)
