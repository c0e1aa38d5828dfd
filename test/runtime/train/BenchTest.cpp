#include "runtime/train/Bench.h"

#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>
#include <gtest/gtest.h>

namespace llamarun {
namespace {

TEST(Bench, LengthsAreThoseOfSst2) {
  auto plan = tiny::makePlan({.maxLength = 128});
  auto data =
      makeSyntheticData(*plan, LengthModel::parse("sst2-like"), 20000, 1);
  ASSERT_EQ(data.size(), 20000u);
  double sum = 0, logs = 0, squares = 0;
  std::size_t longest = 0, shortest = 1000;
  for (auto &ids : data.sequences) {
    auto n = static_cast<double>(ids.size());
    sum += n;
    // Of the number before it was cut down to an integer, about.
    logs += std::log(n + 0.5);
    squares += std::log(n + 0.5) * std::log(n + 0.5);
    longest = std::max(longest, ids.size());
    shortest = std::min(shortest, ids.size());
    for (auto id : ids)
      ASSERT_TRUE(id >= 0 && id < std::int32_t{tiny::kVocabulary});
  }
  EXPECT_EQ(longest, 66u);
  EXPECT_EQ(shortest, 3u);
  logs /= 20000;
  // Of two million lengths drawn by another program: cutting shifts them.
  EXPECT_NEAR(logs, 2.2795, 0.02);
  EXPECT_NEAR(std::sqrt(squares / 20000 - logs * logs), 0.6903, 0.015);
  EXPECT_NEAR(sum / 20000, 12.056, 0.25);
  EXPECT_EQ(makeSyntheticData(*plan, {}, 20000, 1).sequences, data.sequences);
  EXPECT_NE(makeSyntheticData(*plan, {}, 20000, 2).sequences, data.sequences);
}

TEST(Bench, FixedLengthsAndWhatThePlanKeeps) {
  auto plan = tiny::makePlan({.maxLength = 8});
  for (auto &ids :
       makeSyntheticData(*plan, LengthModel::parse("fixed:5"), 10, 1).sequences)
    EXPECT_EQ(ids.size(), 5u);
  for (auto &ids :
       makeSyntheticData(*plan, LengthModel::parse("fixed:50"), 9, 1).sequences)
    EXPECT_EQ(ids.size(), 8u);
  for (const char *bad : {"", "fixed", "fixed:", "fixed:0", "fixed:5x", "sst2",
                          "fixed:-1", "fixed:99999999999"})
    expectFailure(ExitCode::Usage, {"sst2-like"},
                  [&] { LengthModel::parse(bad); });
}

TEST(Bench, PercentilesAreRanks) {
  std::vector<double> seconds;
  for (int i = 100; i >= 1; --i)
    seconds.push_back(i);
  auto p = Percentiles::of(seconds);
  EXPECT_EQ(p.p50, 50);
  EXPECT_EQ(p.p95, 95);
  EXPECT_EQ(p.p99, 99);
  EXPECT_DOUBLE_EQ(p.mean, 50.5);
  EXPECT_EQ(Percentiles::of({7}).p99, 7);
  EXPECT_EQ(Percentiles::of({}).p50, 0);
}

TEST(Bench, CountsWhatWasRun) {
  auto session = tiny::openSession({.batch = 2, .buckets = {8, 16}});
  ProgramRunner runner(*session, 1);
  Dataset data;
  data.file = "data";
  for (std::size_t i = 0; i < 40;
       ++i) { // steps of 6 and of 16 tokens, in turns
    data.sequences.emplace_back(i / 2 % 2 ? 8 : 3, 1);
    data.labels.push_back(1);
  }
  BenchOptions options;
  options.steps = 11;
  options.warmup = 4;
  auto result = benchTraining(*session, runner, data, options);
  EXPECT_EQ(result.steps, 11u);
  EXPECT_EQ(result.samples, 22u);
  EXPECT_EQ(result.tokens, 6 * 6 + 5 * 16u);
  ASSERT_EQ(result.buckets.size(), 2u);
  EXPECT_EQ(result.buckets[0].program, "train_8");
  EXPECT_EQ(result.buckets[0].steps, 6u);
  EXPECT_EQ(result.buckets[0].tokens, 36u);
  EXPECT_EQ(result.buckets[1].steps, 5u);
  ASSERT_TRUE(result.commonest);
  EXPECT_EQ(viewOf(result.commonest->name()), "train_8");
  EXPECT_EQ(result.lastLoss, 0.5);
  EXPECT_GE(result.wallSeconds, result.seconds.mean * 5);
  EXPECT_GE(result.firstStepSeconds, 0); // the clock has 10 ms
  options.steps = 17;
  expectFailure(ExitCode::BadInput, {"20 steps", "21 are wanted"},
                [&] { benchTraining(*session, runner, data, options); });
}

TEST(Bench, CeilingsAreThoseOfAComputer) {
  auto device = createDevice("cpu", {.threads = 2});
  auto ceilings = measureCeilings(*device);
  EXPECT_GT(ceilings.bytesPerSecond, 1e8);
  EXPECT_LT(ceilings.bytesPerSecond, 1e13);
  EXPECT_GT(ceilings.flopsPerSecond, 1e8);
  EXPECT_LT(ceilings.flopsPerSecond, 1e14);
  EXPECT_EQ(device->allocatedBytes(fb::Category::Workspace), 0u);
}

TEST(Bench, TheProcessIsOlderThanThisTest) {
  EXPECT_LT(secondsSinceProcessStart(), 3600);
  EXPECT_GE(secondsSinceProcessStart(), 0);
}

} // namespace
} // namespace llamarun
