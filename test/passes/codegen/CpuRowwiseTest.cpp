//===- CpuRowwiseTest.cpp - Kernels of the model's ops against float64 ----===//
#include "test/passes/codegen/KernelRunner.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>

using Floats = std::vector<float>;

namespace {

/// Tails of every length class, and whole vectors.
class Columns : public testing::TestWithParam<int64_t> {
protected:
  const int64_t cols = GetParam();
  const int64_t rows = cols > 10000 ? 2 : 5;
  const std::string matrix = tensor({rows, cols}), vector = tensor({cols});

  Floats random(unsigned seed, float scale = 1) {
    return randomFloats(rows * cols, seed, scale);
  }
  /// Runs over all rows, once as a whole and once row by row: the bits agree.
  void run(const KernelRunner &kernel, std::vector<void *> inputs,
           std::vector<Floats *> results) {
    std::vector<Floats> first;
    for (int split : {0, 1}) {
      std::vector<void *> buffers = inputs;
      for (Floats *result : results) {
        std::fill(result->begin(), result->end(), -777.0f);
        buffers.push_back(result->data());
      }
      if (split == 0)
        kernel.run(buffers, 0, rows);
      else
        for (int64_t r = rows; r-- > 0;)
          kernel.run(buffers, r, r + 1);
      for (size_t i = 0; i < results.size(); ++i)
        if (split == 0)
          first.push_back(*results[i]);
        else
          EXPECT_EQ(0, memcmp(first[i].data(), results[i]->data(),
                              first[i].size() * sizeof(float)));
    }
  }
};

void expectClose(double expected, float actual, double tolerance,
                 const char *what, int64_t at) {
  EXPECT_NEAR(actual, expected, tolerance * (1 + std::abs(expected)))
      << what << " at " << at;
}

std::string function(const std::string &arguments, const std::string &body) {
  return "func.func @f(" + arguments + ") {\n" + body + "\n  return\n}";
}

} // namespace

INSTANTIATE_TEST_SUITE_P(Tails, Columns,
                         testing::Values(1, 2, 3, 8, 16, 17, 64, 100, 127, 128,
                                         128256));

TEST_P(Columns, RmsNorm) {
  KernelRunner kernel(function(
      "%x: " + matrix + ", %w: " + vector,
      "%y = llm.rms_norm %x, %w eps 1.0e-05 : " + matrix + ", " + vector));
  Floats x = random(1), w = randomFloats(cols, 2), y(rows * cols);
  run(kernel, {x.data(), w.data()}, {&y});
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (int64_t c = 0; c < cols; ++c)
      sum += double(x[r * cols + c]) * x[r * cols + c];
    double inverse = 1 / std::sqrt(sum / cols + 1e-5);
    for (int64_t c = 0; c < cols; ++c)
      expectClose(x[r * cols + c] * inverse * w[c], y[r * cols + c], 1e-6, "y",
                  r * cols + c);
  }
}

TEST_P(Columns, RmsNormGrad) {
  KernelRunner kernel(
      function("%x: " + matrix + ", %w: " + vector + ", %dy: " + matrix,
               "%y = llm.rms_norm_grad %x, %w, %dy eps 1.0e-05 : " + matrix +
                   ", " + vector));
  Floats x = random(1), w = randomFloats(cols, 2), dy = random(3),
         dx(rows * cols);
  run(kernel, {x.data(), w.data(), dy.data()}, {&dx});
  for (int64_t r = 0; r < rows; ++r) {
    double squares = 0, dot = 0;
    for (int64_t c = 0, i = r * cols; c < cols; ++c, ++i) {
      squares += double(x[i]) * x[i];
      dot += double(x[i]) * w[c] * dy[i];
    }
    double inverse = 1 / std::sqrt(squares / cols + 1e-5);
    for (int64_t c = 0, i = r * cols; c < cols; ++c, ++i)
      // A row of one column cancels: d(x/|x|) = 0.
      EXPECT_NEAR(dx[i],
                  inverse * w[c] * dy[i] -
                      x[i] * std::pow(inverse, 3) * dot / cols,
                  2e-6 * (1 + std::abs(inverse * w[c] * dy[i])))
          << i;
  }
}

TEST_P(Columns, Swiglu) {
  KernelRunner kernel(function("%g: " + matrix + ", %u: " + matrix,
                               "%y = llm.swiglu %g, %u : " + matrix));
  Floats g = random(1, 4), u = random(2), y(rows * cols);
  g[0] = -200; // exp(200) overflows: silu is 0
  run(kernel, {g.data(), u.data()}, {&y});
  for (int64_t i = 0; i < rows * cols; ++i)
    expectClose(g[i] / (1 + std::exp(-double(g[i]))) * u[i], y[i], 1e-6, "y",
                i);
}

TEST_P(Columns, SwigluGrad) {
  KernelRunner kernel(
      function("%g: " + matrix + ", %u: " + matrix + ", %dy: " + matrix,
               "%a, %b = llm.swiglu_grad %g, %u, %dy : " + matrix));
  Floats g = random(1, 4), u = random(2), dy = random(3);
  Floats dg(rows * cols), du(rows * cols);
  run(kernel, {g.data(), u.data(), dy.data()}, {&dg, &du});
  for (int64_t i = 0; i < rows * cols; ++i) {
    double s = 1 / (1 + std::exp(-double(g[i])));
    expectClose(dy[i] * u[i] * s * (1 + g[i] * (1 - s)), dg[i], 2e-6, "dgate",
                i);
    expectClose(dy[i] * g[i] * s, du[i], 1e-6, "dup", i);
  }
}

TEST_P(Columns, CrossEntropyPerRow) {
  std::string labels = tensor({rows}, "i32");
  KernelRunner kernel(
      function("%z: " + matrix + ", %l: " + labels + ", %s: tensor<1xf32>",
               "%y = llm.cross_entropy %z, %l, %s : " + matrix + ", " + labels +
                   ", tensor<1xf32> -> tensor<1xf32>"));
  Floats z = random(1, 5), loss(rows);
  float scale = 0.25f;
  std::vector<int32_t> label(rows);
  for (int64_t r = 0; r < rows; ++r)
    label[r] = r == 1 ? -100 : (r * 7919) % cols;
  z[label[0]] = -1e30f; // a label of probability 0, but finite
  run(kernel, {z.data(), label.data(), &scale}, {&loss});
  for (int64_t r = 0; r < rows; ++r) {
    const float *row = &z[r * cols];
    double max = *std::max_element(row, row + cols), sum = 0;
    for (int64_t c = 0; c < cols; ++c)
      sum += std::exp(row[c] - max);
    double expected =
        label[r] < 0 ? 0 : (max + std::log(sum) - row[label[r]]) * scale;
    expectClose(expected, loss[r], 2e-6, "loss", r);
  }
}

TEST_P(Columns, CrossEntropyGrad) {
  std::string labels = tensor({rows}, "i32");
  KernelRunner kernel(
      function("%z: " + matrix + ", %l: " + labels +
                   ", %s: tensor<1xf32>, %d: tensor<1xf32>",
               "%y = llm.cross_entropy_grad %z, %l, %s, %d : " + matrix + ", " +
                   labels + ", tensor<1xf32>, tensor<1xf32>"));
  Floats z = random(1, 5), dz(rows * cols);
  float scale = 0.25f, dloss = 2;
  std::vector<int32_t> label(rows);
  for (int64_t r = 0; r < rows; ++r)
    label[r] = r == 1 ? -100 : (r * 7919) % cols;
  run(kernel, {z.data(), label.data(), &scale, &dloss}, {&dz});
  for (int64_t r = 0; r < rows; ++r) {
    const float *row = &z[r * cols];
    double max = *std::max_element(row, row + cols), sum = 0;
    for (int64_t c = 0; c < cols; ++c)
      sum += std::exp(row[c] - max);
    for (int64_t c = 0; c < cols; ++c) {
      double p = std::exp(row[c] - max) / sum;
      double expected = label[r] < 0 ? 0 : 0.5 * (p - (c == label[r]));
      // p - 1 cancels at the label; elsewhere the error is relative to p.
      double size = c == label[r] ? 1 : p;
      EXPECT_NEAR(dz[r * cols + c], expected, 2e-6 * size) << r << " " << c;
    }
  }
}

TEST_P(Columns, ScatterRows) {
  std::string index = tensor({rows}, "i32");
  KernelRunner kernel(function("%x: " + matrix + ", %i: " + index,
                               "%y = llm.scatter_rows %x, %i : (" + matrix +
                                   ", " + index + ") -> " + matrix));
  Floats x = random(1), y(rows * cols);
  std::vector<int32_t> from(rows);
  for (int64_t r = 0; r < rows; ++r)
    from[r] = r % 2 ? -1 : (r + 1) % rows;
  run(kernel, {x.data(), from.data()}, {&y});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      EXPECT_EQ(y[r * cols + c], from[r] < 0 ? 0 : x[from[r] * cols + c]);
}

namespace {
uint64_t splitMix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}
} // namespace

// The integer arithmetic of dropout, written out: bit for bit.
TEST_P(Columns, SplitMix64OfTheElement) {
  KernelRunner kernel(
      function("%x: " + matrix + ", %s: tensor<2xi64>",
               "%y = llm.rowwise rows(" + std::to_string(rows) + ") cols(" +
                   std::to_string(cols) + ") ins(%x, %s : " + matrix +
                   R"(, tensor<2xi64>)
    maps [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (1)>]
    indexed_by [-1, -1] outs [0] at [affine_map<(r, c) -> (r, c)>] -> ()" +
                   tensor({rows, cols}, "i64") + R"() {
  ^bb0(%a: f32, %seed: i64):
    %r = llm.row_index : i64
    %c = llm.column_index : i64
    %n = arith.constant )" +
                   std::to_string(cols) + R"( : i64
    %i0 = arith.muli %r, %n : i64
    %i = arith.addi %i0, %c : i64
    %z = arith.addi %i, %seed : i64
    %c30 = arith.constant 30 : i64
    %c27 = arith.constant 27 : i64
    %c31 = arith.constant 31 : i64
    %f1 = arith.constant )" +
                   std::to_string(static_cast<int64_t>(0xBF58476D1CE4E5B9ull)) +
                   R"( : i64
    %f2 = arith.constant )" +
                   std::to_string(static_cast<int64_t>(0x94D049BB133111EBull)) +
                   R"( : i64
    %s1 = arith.shrui %z, %c30 : i64
    %x1 = arith.xori %z, %s1 : i64
    %m1 = arith.muli %x1, %f1 : i64
    %s2 = arith.shrui %m1, %c27 : i64
    %x2 = arith.xori %m1, %s2 : i64
    %m2 = arith.muli %x2, %f2 : i64
    %s3 = arith.shrui %m2, %c31 : i64
    %x3 = arith.xori %m2, %s3 : i64
    llm.yield %x3 : i64
  })"));
  Floats x = random(1);
  int64_t seed[2] = {0, 0x123456789ABCDEF};
  std::vector<int64_t> y(rows * cols);
  kernel.run({x.data(), seed, y.data()}, 0, rows);
  for (int64_t i = 0; i < rows * cols; ++i)
    ASSERT_EQ(y[i], static_cast<int64_t>(splitMix64(i + seed[1]))) << i;
}

TEST_P(Columns, DropoutKeepsTheRightShare) {
  KernelRunner kernel(
      function("%x: " + matrix + ", %s: tensor<2xi64>",
               "%y = llm.dropout %x, %s key \"a\" p 2.5e-01 : " + matrix +
                   ", tensor<2xi64>"));
  Floats x(rows * cols, 3.0f), y(rows * cols);
  int64_t seed[2] = {42, 7}, kept = 0;
  run(kernel, {x.data(), seed}, {&y});
  for (float v : y) {
    EXPECT_TRUE(v == 0 || std::abs(v - 4) < 1e-6) << v;
    kept += v != 0;
  }
  double n = rows * cols;
  EXPECT_NEAR(kept, 0.75 * n, 4 * std::sqrt(n * 0.25 * 0.75));
}

TEST_P(Columns, MaxIgnoresNaNAndHandlesInfinity) {
  KernelRunner kernel(
      function("%x: " + matrix,
               "%y:2 = llm.rowwise rows(" + std::to_string(rows) + ") cols(" +
                   std::to_string(cols) + ") ins(%x : " + matrix +
                   R"() maps [affine_map<(r, c) -> (r, c)>]
    indexed_by [-1] outs [0, 1] at [affine_map<(r, c) -> (r)>, affine_map<(r, c) -> (r)>] -> ()" +
                   tensor({rows}) + ", " + tensor({rows}) + R"() {
  ^bb0(%a: f32):
    %m = llm.row_reduce max %a : f32
    %s = llm.row_reduce add %a : f32
    llm.yield %m, %s : f32, f32
  })"));
  Floats x = random(5), max(rows), sum(rows);
  for (int64_t c = 0; c < cols; ++c)
    x[c] = -INFINITY;
  x[cols] = NAN;
  run(kernel, {x.data()}, {&max, &sum});
  EXPECT_EQ(max[0], -INFINITY);
  EXPECT_EQ(sum[0], -INFINITY);
  if (cols > 1) {
    EXPECT_EQ(max[1], *std::max_element(&x[cols + 1], &x[2 * cols]));
  }
  EXPECT_TRUE(std::isnan(sum[1]));
  for (int64_t r = 2; r < rows; ++r) {
    EXPECT_EQ(max[r], *std::max_element(&x[r * cols], &x[r * cols] + cols));
    double total = 0;
    for (int64_t c = 0; c < cols; ++c)
      total += x[r * cols + c];
    EXPECT_NEAR(sum[r], total, 1e-6 * (cols + 1));
  }
}

// Parameters and moments are overwritten where they are read.
TEST_P(Columns, ElementwiseInPlace) {
  KernelRunner kernel(function(
      "%p: " + matrix + ", %g: " + matrix + ", %m: " + matrix,
      "%y:2 = llm.rowwise rows(" + std::to_string(rows) + ") cols(" +
          std::to_string(cols) + ") ins(%p, %g, %m : " + matrix + ", " +
          matrix + ", " + matrix + R"() maps [affine_map<(r, c) -> (r, c)>,
      affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c)>]
    indexed_by [-1, -1, -1] outs [0, 1] at [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c)>] -> ()" +
          matrix + ", " + matrix + R"() {
  ^bb0(%p0: f32, %g0: f32, %m0: f32):
    %b = arith.constant 0.9 : f32
    %b1 = arith.constant 0.1 : f32
    %lr = arith.constant 0.01 : f32
    %m1 = arith.mulf %m0, %b : f32
    %m2 = arith.mulf %g0, %b1 : f32
    %m3 = arith.addf %m1, %m2 : f32
    %d = arith.mulf %m3, %lr : f32
    %p1 = arith.subf %p0, %d : f32
    llm.yield %p1, %m3 : f32, f32
  })"));
  Floats p = random(1), g = random(2), m = random(3);
  Floats p0 = p, m0 = m;
  kernel.run({p.data(), g.data(), m.data(), p.data(), m.data()}, 0, rows);
  for (int64_t i = 0; i < rows * cols; ++i) {
    double moment = 0.9 * m0[i] + 0.1 * g[i];
    expectClose(moment, m[i], 1e-6, "m", i);
    expectClose(p0[i] - 0.01 * moment, p[i], 1e-6, "p", i);
  }
}
