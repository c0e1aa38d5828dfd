//===- CpuRowwiseShapesTest.cpp - Maps, scalars, accuracy, refusals -------===//
#include "test/passes/codegen/KernelRunner.h"

#include <cstring>
#include <gtest/gtest.h>

using Floats = std::vector<float>;

TEST(CpuRowwise, RopeRotatesHalvesOfEveryHead) {
  for (int64_t d : {2, 6, 16, 32, 128}) {
    int64_t tokens = 3, heads = 5, half = d / 2;
    std::string x = tensor({tokens, heads * d}), t = tensor({tokens, half});
    for (bool inverse : {false, true}) {
      KernelRunner kernel("func.func @f(%x: " + x + ", %c: " + t +
                          ", %s: " + t + ") {\n %y = llm.rope %x, %c, %s" +
                          (inverse ? " inverse" : "") + " : " + x + ", " + t +
                          "\n return\n}");
      Floats in = randomFloats(tokens * heads * d, 1);
      Floats cos = randomFloats(tokens * half, 2);
      Floats sin = randomFloats(tokens * half, 3), out(in.size(), -777.0f);
      kernel.run({in.data(), cos.data(), sin.data(), out.data()}, 0,
                 tokens * heads);
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t i = 0; i < half; ++i) {
            const float *head = &in[(t * heads + h) * d];
            const float *result = &out[(t * heads + h) * d];
            double c = cos[t * half + i];
            double s = sin[t * half + i] * (inverse ? -1 : 1);
            EXPECT_NEAR(result[i], head[i] * c - head[half + i] * s, 2e-6);
            EXPECT_NEAR(result[half + i], head[half + i] * c + head[i] * s,
                        2e-6);
          }
    }
  }
}

TEST(CpuRowwise, GathersRowsOfATable) {
  KernelRunner kernel(R"(func.func @f(%i: tensor<4xi32>, %t: tensor<9x20xf32>) {
    %y = llm.embedding %i, %t : (tensor<4xi32>, tensor<9x20xf32>) -> tensor<4x20xf32>
    return
  })");
  Floats table = randomFloats(9 * 20, 1), out(4 * 20);
  std::vector<int32_t> ids{8, 0, 3, 3};
  kernel.run({ids.data(), table.data(), out.data()}, 0, 4);
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t c = 0; c < 20; ++c)
      EXPECT_EQ(out[r * 20 + c], table[ids[r] * 20 + c]);
}

// The optimizer's schedule: one row, one column, double precision.
TEST(CpuRowwise, ScheduleInDoublePrecision) {
  KernelRunner kernel(R"(func.func @f(%h: tensor<8xf64>, %s: tensor<1xi64>) {
    %lr, %next, %step = llm.rowwise rows(1) cols(1) ins(%h, %s : tensor<8xf64>, tensor<1xi64>)
      maps [affine_map<(r, c) -> (3)>, affine_map<(r, c) -> (0)>] indexed_by [-1, -1]
      outs [0, 1, 2] at [affine_map<(r, c) -> (0)>, affine_map<(r, c) -> (0)>, affine_map<(r, c) -> (0)>]
      -> (tensor<1xf32>, tensor<1xf64>, tensor<1xi64>) {
    ^bb0(%beta: f64, %n: i64):
      %one = arith.constant 1 : i64
      %n1 = arith.addi %n, %one : i64
      %f = arith.sitofp %n1 : i64 to f64
      %q = arith.divf %beta, %f : f64
      %root = math.sqrt %q : f64
      %least = arith.constant 0.5 : f64
      %m = arith.maximumf %root, %least : f64
      %lr32 = arith.truncf %m : f64 to f32
      %sum = llm.row_reduce add %root : f64
      llm.yield %lr32, %sum, %n1 : f32, f64, i64
    }
    return
  })");
  double hyper[8] = {0, 0, 0, 0.9}, next = 0;
  int64_t step = 2, stepOut = 0;
  float lr = 0;
  kernel.run({hyper, &step, &lr, &next, &stepOut}, 0, 1);
  EXPECT_EQ(stepOut, 3);
  EXPECT_EQ(next, std::sqrt(0.9 / 3));
  EXPECT_EQ(lr, static_cast<float>(std::max(std::sqrt(0.9 / 3), 0.5)));
}

namespace {

std::string unary(const std::string &op, int64_t cols) {
  std::string type = tensor({1, cols});
  return "func.func @f(%x: " + type + ") {\n %y = llm.rowwise rows(1) cols(" +
         std::to_string(cols) + ") ins(%x : " + type +
         ") maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1] outs [0] at "
         "[affine_map<(r, c) -> (r, c)>] -> (" +
         type + ") {\n ^bb0(%a: f32):\n %b = " + op +
         " %a : f32\n llm.yield %b : f32\n }\n return\n}";
}

/// Distance in representable numbers.
int64_t ulps(float a, float b) {
  auto ordered = [](float f) {
    int32_t i;
    memcpy(&i, &f, 4);
    return i < 0 ? int64_t(INT32_MIN) - i : int64_t(i);
  };
  return std::abs(ordered(a) - ordered(b));
}

/// Every 1009th of all 2^32 floats, NaN left out, and special values.
Floats sampleOfAllFloats() {
  Floats values{0.0f,
                -0.0f,
                INFINITY,
                -INFINITY,
                -1e30f,
                1e30f,
                88.72f,
                88.73f,
                -87.3f,
                -87.4f,
                -103.9f,
                -104.1f,
                1.0f,
                std::nextafter(1.0f, 2.0f),
                std::nextafter(1.0f, 0.0f),
                1.17549435e-38f,
                1e-45f};
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 1009) {
    uint32_t i = bits;
    float f;
    memcpy(&f, &i, 4);
    if (!std::isnan(f))
      values.push_back(f);
  }
  return values;
}

} // namespace

TEST(CpuRowwise, ExpIsAccurateEverywhere) {
  Floats x = sampleOfAllFloats(), y(x.size());
  KernelRunner kernel(unary("math.exp", x.size()));
  kernel.run({x.data(), y.data()}, 0, 1);
  int64_t worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    float expected = std::exp(static_cast<double>(x[i]));
    worst = std::max(worst, ulps(expected, y[i]));
    ASSERT_LE(ulps(expected, y[i]), 2) << x[i] << " " << y[i];
  }
  RecordProperty("worst_ulps", worst);
}

TEST(CpuRowwise, LogIsAccurateEverywhere) {
  Floats x = sampleOfAllFloats(), y(x.size());
  KernelRunner kernel(unary("math.log", x.size()));
  kernel.run({x.data(), y.data()}, 0, 1);
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] < 0) {
      ASSERT_TRUE(std::isnan(y[i])) << x[i];
      continue;
    }
    float expected = std::log(static_cast<double>(x[i]));
    ASSERT_LE(ulps(expected, y[i]), 2) << x[i] << " " << y[i];
  }
}

TEST(CpuRowwise, RsqrtIsOneOverSqrt) {
  Floats x = randomFloats(1000, 1, 100), y(x.size());
  for (float &v : x)
    v = std::abs(v);
  KernelRunner kernel(unary("math.rsqrt", x.size()));
  kernel.run({x.data(), y.data()}, 0, 1);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(y[i], 1.0f / std::sqrt(x[i]));
}

TEST(CpuRowwise, NaNStaysNaN) {
  Floats x{NAN, -NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN}, y(x.size());
  for (const char *op : {"math.exp", "math.log", "math.rsqrt"}) {
    KernelRunner kernel(unary(op, x.size()));
    kernel.run({x.data(), y.data()}, 0, 1);
    for (float v : y)
      EXPECT_TRUE(std::isnan(v)) << op;
  }
}

TEST(CpuRowwise, SameSourceSameBytes) {
  EXPECT_EQ(KernelRunner(unary("math.exp", 100)).object(),
            KernelRunner(unary("math.exp", 100)).object());
}

TEST(CpuRowwise, RefusesWhatWouldNeedALibrary) {
  EXPECT_NE(NativeKernel(unary("math.sin", 8))
                .error()
                .find("no form in a CPU kernel"),
            std::string::npos);
}
