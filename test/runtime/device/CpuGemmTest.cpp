// GEMM of the CPU device against a float64 loop, and its bits against the
// number of threads.
#include "runtime/device/Device.h"

#include "runtime/device/cpu/CpuWork.h"
#include "runtime/support/Error.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace llamarun;

namespace {

struct Problem {
  std::uint64_t m, n, k;
  bool transposeA, transposeB;
  float alpha, beta;
  std::uint64_t padding = 0; ///< of every leading dimension
};

struct Operands {
  std::vector<float> a, b, d;
  GemmCall call;
};

Operands make(const Problem &p) {
  Operands o;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  auto fill = [&](std::vector<float> &v, std::uint64_t rows,
                  std::uint64_t columns) {
    v.resize(rows * (columns + p.padding));
    for (auto &x : v)
      x = uniform(random);
    return columns + p.padding;
  };
  auto &c = o.call;
  c.lda = p.transposeA ? fill(o.a, p.k, p.m) : fill(o.a, p.m, p.k);
  c.ldb = p.transposeB ? fill(o.b, p.n, p.k) : fill(o.b, p.k, p.n);
  c.ldd = fill(o.d, p.m, p.n);
  c.m = p.m;
  c.n = p.n;
  c.k = p.k;
  c.transposeA = p.transposeA;
  c.transposeB = p.transposeB;
  c.alpha = p.alpha;
  c.beta = p.beta;
  return o;
}

/// Runs on the host's memory: a CPU device's pointers are host pointers.
std::vector<float> compute(Device &device, Operands o) {
  auto bind = [](std::vector<float> &v) {
    return DeviceRange{v.data(), v.size() * sizeof(float)};
  };
  o.call.a = bind(o.a);
  o.call.b = bind(o.b);
  o.call.d = bind(o.d);
  device.prepareGemm(o.call);
  device.gemm(0, o.call);
  device.synchronize();
  return o.d;
}

const Problem kProblems[] = {
    {1, 1, 1, false, false, 1, 0},
    {5, 3, 7, false, true, 1, 0, 3},
    {640, 128, 128, false, true, 1, 0},
    {640, 128, 128, false, false, 1, 1},
    {128, 8, 640, true, false, 2, 0, 1},
    {8, 640, 33, false, true, 0.5f, 1, 5},
    {300, 700, 65, true, true, 1, -2, 2},
    {2, 1030, 512, true, false, 1, 0},
    {1000, 9, 200, false, false, -1, 0.5f},
};

TEST(CpuGemm, MatchesFloat64) {
  auto device = createDevice("cpu", {.threads = 3});
  for (auto problem : kProblems)
    for (int mode = 0; mode < 8; ++mode) {
      problem.transposeA = mode & 1;
      problem.transposeB = mode & 2;
      if (mode & 4)
        problem.beta = problem.beta == 0 ? 1 : 0;
      auto o = make(problem);
      auto &c = o.call;
      if (c.beta == 0) // what D held must not matter, not even a NaN
        o.d.assign(o.d.size(), std::nanf(""));
      auto got = compute(*device, o);
      for (std::uint64_t i = 0; i < c.m; ++i)
        for (std::uint64_t j = 0; j < c.ldd; ++j) {
          auto at = i * c.ldd + j;
          if (j >= c.n) { // padding stays as it is
            ASSERT_EQ(std::memcmp(&got[at], &o.d[at], 4), 0);
            continue;
          }
          double sum = 0, size = 0;
          for (std::uint64_t l = 0; l < c.k; ++l) {
            double x = o.a[c.transposeA ? l * c.lda + i : i * c.lda + l];
            double y = o.b[c.transposeB ? j * c.ldb + l : l * c.ldb + j];
            sum += x * y;
            size += std::fabs(x * y);
          }
          double expected = c.alpha * sum;
          if (c.beta != 0) {
            expected += double{c.beta} * o.d[at];
            size += std::fabs(double{c.beta} * o.d[at]);
          }
          // Rounding of k additions in float32, worst case.
          ASSERT_NEAR(got[at], expected,
                      2 * static_cast<double>(c.k + 2) * 6e-8 *
                          (std::fabs(c.alpha) * size + 1e-30))
              << c.m << "x" << c.n << "x" << c.k << " mode " << mode << " at "
              << i << "," << j;
        }
    }
}

TEST(CpuGemm, BitsDoNotDependOnThreads) {
  for (auto &problem : kProblems) {
    std::vector<float> first;
    for (unsigned threads : {1u, 2u, 3u, 7u}) {
      auto device = createDevice("cpu", {.threads = threads});
      auto got = compute(*device, make(problem));
      if (first.empty())
        first = got;
      ASSERT_EQ(std::memcmp(got.data(), first.data(), got.size() * 4), 0)
          << problem.m << "x" << problem.n << "x" << problem.k << ", "
          << threads << " threads";
    }
  }
}

TEST(CpuGemm, TilesCoverTheLongerSide) {
  for (std::uint64_t m : {1, 15, 128, 255, 256, 640, 1000, 5000, 128256})
    for (std::uint64_t n : {1, 16, 333, 4096})
      for (std::uint64_t k : {1, 128, 4096}) {
        auto tiles = tilesOf(m, n, k);
        auto extent = std::max(m, n);
        EXPECT_EQ(tiles.alongRows, m >= n);
        EXPECT_GE(tiles.size * tiles.count, extent);
        EXPECT_LT(tiles.size * (tiles.count - 1), extent);
      }
  // The shape that training a small model has most of is worth cutting.
  EXPECT_GE(tilesOf(640, 128, 128).count, 4u);
  EXPECT_EQ(tilesOf(8, 8, 8).count, 1u);
}

TEST(CpuGemm, RefusesOtherTypes) {
  auto device = createDevice("cpu", {.threads = 1});
  auto o = make(kProblems[0]);
  o.call.dtypeA = fb::DType::BF16;
  EXPECT_THROW(device->prepareGemm(o.call), Error);
  o = make(kProblems[0]);
  o.call.lda = 1ull << 31;
  EXPECT_THROW(device->prepareGemm(o.call), Error);
}

} // namespace
