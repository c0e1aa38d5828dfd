//===- CpuAttentionTest.cpp - Attention against float64 loops -------------===//
#include "test/passes/codegen/KernelRunner.h"

#include <cstdio>
#include <gtest/gtest.h>
#include <ostream>

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

namespace {

struct Case {
  int64_t heads, kvHeads, headDim;
  std::vector<int32_t> lengths; // of the sequences, 0 = absent
  int64_t padding;

  /// Names the case in test reports.
  friend std::ostream &operator<<(std::ostream &out, const Case &c) {
    out << c.heads << "/" << c.kvHeads << " heads of " << c.headDim
        << ", lengths";
    for (int32_t n : c.lengths)
      out << " " << n;
    return out << ", " << c.padding << " padding";
  }
};

/// All digits: std::to_string keeps six.
std::string text(double value) {
  char digits[40];
  snprintf(digits, sizeof digits, "%.17e", value);
  return digits;
}

struct Problem {
  explicit Problem(const Case &c) : c(c), starts{0} {
    for (int32_t n : c.lengths)
      starts.push_back(starts.back() + n);
    tokens = starts.back() + c.padding;
    scale = 1 / std::sqrt(double(c.headDim));
    q = randomFloats(tokens * c.heads * c.headDim, 1, 2);
    k = randomFloats(tokens * c.kvHeads * c.headDim, 2, 2);
    v = randomFloats(tokens * c.kvHeads * c.headDim, 3);
    dout = randomFloats(q.size(), 4);
    out.assign(q.size(), 0), dq.assign(q.size(), 0);
    dk.assign(k.size(), 0), dv.assign(k.size(), 0);
    lse.assign(tokens * c.heads, 0);
    for (size_t s = 0; s < c.lengths.size(); ++s)
      for (int64_t h = 0; h < c.heads; ++h)
        for (int64_t i = starts[s]; i < starts[s + 1]; ++i)
          row(starts[s], h, i);
  }

  /// One query row, its output and its share of the gradients.
  void row(int64_t start, int64_t h, int64_t i) {
    int64_t kv = h / (c.heads / c.kvHeads), d = c.headDim;
    auto at = [&](int64_t t) { return (t * c.kvHeads + kv) * d; };
    int64_t qi = (i * c.heads + h) * d;
    Doubles p;
    double max = -INFINITY, sum = 0, delta = 0;
    for (int64_t j = start; j <= i; ++j) {
      double s = 0;
      for (int64_t x = 0; x < d; ++x)
        s += double(q[qi + x]) * k[at(j) + x];
      p.push_back(s * scale);
      max = std::max(max, s * scale);
    }
    for (double &s : p)
      sum += s = std::exp(s - max);
    lse[i * c.heads + h] = max + std::log(sum);
    for (int64_t x = 0; x < d; ++x) {
      for (int64_t j = start; j <= i; ++j)
        out[qi + x] += p[j - start] / sum * v[at(j) + x];
      delta += out[qi + x] * dout[qi + x];
    }
    for (int64_t j = start; j <= i; ++j) {
      double weight = p[j - start] / sum, dp = 0;
      for (int64_t x = 0; x < d; ++x)
        dp += double(dout[qi + x]) * v[at(j) + x];
      double ds = weight * (dp - delta) * scale;
      for (int64_t x = 0; x < d; ++x) {
        dv[at(j) + x] += weight * dout[qi + x];
        dq[qi + x] += ds * k[at(j) + x];
        dk[at(j) + x] += ds * q[qi + x];
      }
    }
  }

  std::string types() const {
    std::string wide = tensor({tokens, c.heads * c.headDim});
    std::string narrow = tensor({tokens, c.kvHeads * c.headDim});
    return wide + ", " + narrow + ", " + narrow + ", " +
           tensor({int64_t(starts.size())}, "i32");
  }
  std::string source(bool gradient) const {
    std::string wide = tensor({tokens, c.heads * c.headDim});
    std::string narrow = tensor({tokens, c.kvHeads * c.headDim});
    std::string sums = tensor({tokens, c.heads});
    std::string cu = tensor({int64_t(starts.size())}, "i32");
    std::string ends = " heads(" + std::to_string(c.heads) + ") kv_heads(" +
                       std::to_string(c.kvHeads) + ") scale " + text(scale) +
                       " : (" + types();
    std::string arguments =
        "%q: " + wide + ", %k: " + narrow + ", %v: " + narrow + ", %cu: " + cu;
    if (!gradient)
      return "func.func @f(" + arguments +
             ") {\n %o, %l = llm.attention %q, %k, %v, %cu" + ends + ") -> (" +
             wide + ", " + sums + ")\n return\n}";
    return "func.func @f(" + arguments + ", %o: " + wide + ", %l: " + sums +
           ", %do: " + wide +
           ") {\n %dq, %dk, %dv = llm.attention_grad %q, %k, %v, %cu, %o, "
           "%l, %do" +
           ends + ", " + wide + ", " + sums + ", " + wide + ") -> (" + wide +
           ", " + narrow + ", " + narrow + ")\n return\n}";
  }

  Case c;
  std::vector<int32_t> starts;
  int64_t tokens;
  double scale;
  Floats q, k, v, dout;
  Doubles out, lse, dq, dk, dv;
};

void expectAll(const Doubles &expected, const Floats &actual, double tolerance,
               const char *what) {
  double norm = 0, error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance * (1 + std::abs(expected[i])))
        << what << " at " << i;
    norm += expected[i] * expected[i];
    error += (expected[i] - actual[i]) * (expected[i] - actual[i]);
  }
  EXPECT_LE(std::sqrt(error), 2e-6 * std::sqrt(norm) + 1e-12) << what;
}

class CpuAttention
    : public testing::TestWithParam<std::tuple<Case, std::string>> {};

} // namespace

static const std::vector<Case> kCases{
    {1, 1, 16, {1}, 0},
    {4, 2, 16, {5, 1, 0, 19, 7}, 3},
    {8, 4, 16, {12, 31, 16, 17}, 0},
    {8, 1, 64, {33, 2}, 5},
    {2, 2, 128, {40}, 1},
    {6, 2, 20, {9, 21, 4}, 2},
    {3, 1, 4, {15, 0}, 6},
    {4, 4, 80, {3, 50}, 0},
    {2, 1, 32, {700, 0, 0}, 11},
};

INSTANTIATE_TEST_SUITE_P(
    All, CpuAttention,
    testing::Combine(testing::ValuesIn(kCases),
                     testing::ValuesIn(runnableArchitectures())));

TEST_P(CpuAttention, ForwardAndGradient) {
  const auto &[c, arch] = GetParam();
  Problem p(c);
  int64_t sequences = c.lengths.size(), items = sequences * c.kvHeads;
  std::vector<int64_t> scalars{p.tokens, sequences};
  Floats out(p.out.size(), NAN), lse(p.lse.size(), NAN);
  Floats dq(p.dq.size(), NAN), dk(p.dk.size(), NAN), dv(p.dv.size(), NAN);

  KernelRunner forward(p.source(false), arch);
  forward.run({p.q.data(), p.k.data(), p.v.data(), p.starts.data(), out.data(),
               lse.data()},
              0, items, scalars);
  expectAll(p.out, out, 5e-6, "out");
  expectAll(p.lse, lse, 5e-6, "lse");

  // The work in other pieces and another order: the same bits.
  Floats out2(out.size(), NAN), lse2(lse.size(), NAN);
  for (int64_t i = items; i-- > 0;)
    forward.run({p.q.data(), p.k.data(), p.v.data(), p.starts.data(),
                 out2.data(), lse2.data()},
                i, i + 1, scalars);
  EXPECT_EQ(out, out2);
  EXPECT_EQ(lse, lse2);

  KernelRunner gradient(p.source(true), arch);
  gradient.run({p.q.data(), p.k.data(), p.v.data(), p.starts.data(), out.data(),
                lse.data(), p.dout.data(), dq.data(), dk.data(), dv.data()},
               0, items, scalars);
  expectAll(p.dq, dq, 2e-5, "dq");
  expectAll(p.dk, dk, 2e-5, "dk");
  expectAll(p.dv, dv, 2e-5, "dv");
}
