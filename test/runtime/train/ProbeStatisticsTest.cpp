// Moments of parts against those of all numbers at once, in two passes.
#include "runtime/train/ProbeStatistics.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

using namespace llamarun;

namespace {

Moments twoPasses(const std::vector<double> &x, double threshold) {
  Moments m;
  m.count = static_cast<double>(x.size());
  for (double v : x)
    m.mean += v / m.count;
  for (double v : x) {
    m.squares += (v - m.mean) * (v - m.mean);
    m.largest = std::max(m.largest, std::abs(v));
    m.zeros += std::abs(v) <= threshold;
  }
  return m;
}

void expectEqual(const Moments &a, const Moments &b, double tolerance) {
  EXPECT_EQ(a.count, b.count);
  EXPECT_NEAR(a.mean, b.mean, tolerance * b.deviation());
  EXPECT_NEAR(a.deviation(), b.deviation(), tolerance * b.deviation());
  EXPECT_NEAR(a.rms(), b.rms(), tolerance * b.rms());
  EXPECT_EQ(a.largest, b.largest);
  EXPECT_EQ(a.sparsity(), b.sparsity());
}

std::vector<double> numbers(std::size_t count, double mean, double deviation) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(mean, deviation);
  std::vector<double> x(count);
  for (double &v : x)
    v = normal(random);
  return x;
}

TEST(ProbeStatistics, PartsAddUpInAnyGrouping) {
  auto x = numbers(1000, -0.3, 2);
  Moments whole = twoPasses(x, 0.05);
  for (std::size_t part : {1u, 7u, 64u, 999u}) {
    Moments sum;
    for (std::size_t at = 0; at < x.size(); at += part)
      sum.add(twoPasses({x.begin() + static_cast<std::ptrdiff_t>(at),
                         x.begin() + static_cast<std::ptrdiff_t>(
                                         std::min(at + part, x.size()))},
                        0.05));
    expectEqual(sum, whole, 1e-12);
  }
}

TEST(ProbeStatistics, NothingCancelsFarFromZero) {
  // The sum of squares less the square of the sum would have no digit left.
  auto x = numbers(4096, 1e7, 1);
  Moments whole = twoPasses(x, 0), sum;
  for (double v : x)
    sum.add({1, v, 0, std::abs(v), 0});
  expectEqual(sum, whole, 1e-6);
}

TEST(ProbeStatistics, RowsHaveTheirColumnsAsWeight) {
  Moments sum;
  sum.addRow(std::array<float, 4>{2, 6, 4, 0}, 3);  // 1, 1, 4
  sum.addRow(std::array<float, 4>{-1, 2, 2, 1}, 3); // 0, -1, -2
  expectEqual(sum, twoPasses({1, 1, 4, 0, -1, -2}, 0), 1e-15);
  EXPECT_EQ(Moments().deviation(), 0);
  EXPECT_EQ(Moments().rms(), 0);
}

std::vector<ProbedModule> modules() {
  std::vector<ProbedModule> m(2);
  m[0].name = "a.q_proj";
  m[0].out = 6;
  m[0].in = 4;
  m[0].input = twoPasses({1, 2}, 0);
  m[0].output = twoPasses({0, 3}, 0);
  m[0].outputGradient = twoPasses({0, 0.5}, 0);
  m[0].weight = {2, 3, 0.5, 4};
  m[1].name = "a.k_proj";
  m[1].input = m[0].output;
  return m;
}

TEST(ProbeStatistics, JsonHasMeansOverBatches) {
  auto json = nlohmann::json::parse(probeJson(modules()[0]));
  EXPECT_EQ(json["input"]["mean"], 1.5);
  EXPECT_EQ(json["input"]["std"], 0.5);
  EXPECT_EQ(json["output"]["sparsity"], 0.5);
  EXPECT_EQ(json["output"]["max_abs"], 3.0);
  EXPECT_EQ(json["weight"]["shape"], nlohmann::json::array({6, 4}));
  EXPECT_EQ(json["weight_gradient"]["norm"], 1.5);
  EXPECT_EQ(json["weight_gradient"]["relative_norm"], 0.375);
  EXPECT_EQ(json["weight_gradient"]["sensitivity"], 0.25);
  // Without a gradient there is none.
  json = nlohmann::json::parse(probeJson(modules()[1]));
  EXPECT_FALSE(json.contains("weight_gradient"));
  EXPECT_FALSE(json.contains("output_gradient"));
}

TEST(ProbeStatistics, GoToAnotherRankAndBack) {
  auto sent = modules();
  std::string bytes = packProbes(sent);
  auto received = modules();
  for (auto &m : received)
    m.input = m.output = m.outputGradient = {}, m.weight = {};
  unpackProbes(bytes, received);
  for (std::size_t i = 0; i < sent.size(); ++i)
    EXPECT_EQ(probeJson(received[i]), probeJson(sent[i]));
  bytes.pop_back();
  EXPECT_THROW(unpackProbes(bytes, received), Error);
}

TEST(ProbeStatistics, WhatIsNotFiniteIsNamed) {
  auto m = modules();
  EXPECT_EQ(notFinite(m), "");
  Moments nan;
  float bad = std::numeric_limits<float>::quiet_NaN();
  nan.addRow(std::array<float, 4>{1, 1, bad, 0}, 3);
  m[1].output.add(nan);
  EXPECT_EQ(notFinite(m), "a.k_proj, output");
  m = modules();
  m[0].weight.norm = INFINITY;
  EXPECT_EQ(notFinite(m), "a.q_proj, gradient of the weight");
}

} // namespace
