#include "runtime/train/Initialize.h"

#include "runtime/train/CounterRandom.h"
#include "test/runtime/train/TinyPlan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace llamarun {
namespace {

// Computed with Python's integers and math module from the definitions in
// CounterRandom.h.
TEST(CounterRandom, MatchesItsDefinition) {
  // First output of the published SplitMix64 for seed 1234567.
  EXPECT_EQ(mixBits(1234567 + 0x9e3779b97f4a7c15), 6457827717110365317u);
  EXPECT_EQ(hashName("score.weight"), 0xa17c07541eaa9575u);
  CounterRandom score(42, "score.weight"), a(0, "a");
  EXPECT_EQ(score.bits(0), 0xa4f164fc38dc1e5cu);
  EXPECT_EQ(score.bits(1), 0x0d21dd161019af0au);
  EXPECT_EQ(score.bits(1000), 0x923f5ac879573f1eu);
  EXPECT_EQ(score.uniform(0), 0.6443083873535759);
  EXPECT_EQ(score.uniform(7), 0.2259448164651019);
  EXPECT_DOUBLE_EQ(score.normal(0), 1.363797599645138);
  EXPECT_DOUBLE_EQ(score.normal(1), -0.27993955562971007);
  EXPECT_NEAR(a.normal(5), 0.4995430762232254, 1e-13);
}

TEST(DrawInitial, HasTheMomentsOfItsDistribution) {
  std::vector<double> values(1 << 16);
  auto moments = [&] {
    double n = static_cast<double>(values.size());
    double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double square =
        std::inner_product(values.begin(), values.end(), values.begin(), 0.0) /
        n;
    return std::pair(mean, std::sqrt(square - mean * mean));
  };
  drawInitial(fb::InitKind::Normal, 0.02, 42, "score.weight", 0, values);
  auto [mean, deviation] = moments();
  EXPECT_NEAR(mean, 0, 0.02 * 4 / 256);
  EXPECT_NEAR(deviation, 0.02, 0.0005);
  drawInitial(fb::InitKind::Uniform, 0.3, 42, "x", 0, values);
  std::tie(mean, deviation) = moments();
  EXPECT_NEAR(mean, 0, 0.003);
  EXPECT_NEAR(deviation, 0.3 / std::sqrt(3), 0.003);
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*low, -0.3);
  EXPECT_LT(*high, 0.3);
  EXPECT_LT(*low, -0.299);
  EXPECT_GT(*high, 0.299);
}

TEST(DrawInitial, SlicesAreThoseOfTheWhole) {
  std::vector<double> whole(100), part(30);
  for (auto kind : {fb::InitKind::Uniform, fb::InitKind::Normal}) {
    drawInitial(kind, 1, 7, "t", 0, whole);
    drawInitial(kind, 1, 7, "t", 55, part);
    for (std::size_t i = 0; i < part.size(); ++i)
      EXPECT_EQ(part[i], whole[55 + i]);
  }
  std::vector<double> other(100);
  drawInitial(fb::InitKind::Normal, 1, 8, "t", 0, other);
  EXPECT_NE(other, whole) << "the seed has no effect";
  drawInitial(fb::InitKind::Normal, 1, 7, "u", 0, other);
  EXPECT_NE(other, whole) << "the name has no effect";
}

TEST(InitializeTensors, WritesEachKindInItsDtype) {
  auto session = tiny::openSession();
  initializeTensors(*session, 42);
  auto a = tiny::read<float>(*session, fb::Role::Parameter, tiny::kLoraA);
  CounterRandom random(42, tiny::kLoraA);
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_EQ(a[i], static_cast<float>((2 * random.uniform(i) - 1) * 0.5));
  auto score = tiny::read<float>(*session, fb::Role::Parameter, "score.weight");
  EXPECT_EQ(score[1], static_cast<float>(-0.27993955562971007 * 0.02));
  for (float b : tiny::read<float>(*session, fb::Role::Parameter, tiny::kLoraB))
    EXPECT_EQ(b, 0);
  EXPECT_EQ(
      tiny::read<double>(*session, fb::Role::State, "optimizer.beta1_power"),
      std::vector<double>{1});
  EXPECT_EQ(
      tiny::read<std::int64_t>(*session, fb::Role::State, "optimizer.step"),
      std::vector<std::int64_t>{0});
}

TEST(InitializeTensors, PiecesAreThoseOfTheWhole) {
  auto session = tiny::openSession(
      {.task = "sst2", .head = fb::Head::Classification, .labels = 40'000});
  initializeTensors(*session, 42);
  auto score = tiny::read<float>(*session, fb::Role::Parameter, "score.weight");
  CounterRandom random(42, "score.weight");
  for (std::size_t i : {0u, 65'535u, 65'536u, 131'073u, 159'999u})
    EXPECT_EQ(score[i], static_cast<float>(random.normal(i) * 0.02)) << i;
}

} // namespace
} // namespace llamarun
