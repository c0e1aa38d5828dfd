#include "runtime/trace/ProfileSummary.h"

#include "runtime/trace/ProfileTable.h"
#include "test/runtime/trace/TraceSamples.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

ProfileSummary sampleSummary() {
  auto plan = test::twoRankPlan().load();
  std::vector<RankTrace> traces{test::sampleTrace(0), test::sampleTrace(1)};
  auto costs = planCosts(*plan, traces);
  return summarize(traces, costs, linkCollectives(*plan, traces, costs), *plan,
                   {.bytesPerSecond = 1e9, .flopsPerSecond = 1e6});
}

// fill 100, gemm 400 less 5 that it shares with the copy, sum 380 less 40 that
// it shares, copy 100 less those; 10 us in which nothing ran before the sum are
// the copy's.
TEST(ProfileSummary, EveryMomentOnce) {
  auto summary = sampleSummary();
  EXPECT_EQ(summary.steps, 2u);
  EXPECT_EQ(summary.programs, std::vector<std::string>{"train_16"});
  ASSERT_EQ(summary.lines.size(), 4u);
  auto us = [](double seconds) { return 1e6 * seconds / 2; }; // of a step
  auto &lines = summary.lines;
  EXPECT_EQ(lines[0].what, "gemm f32->f32 nt 16x2x8");
  EXPECT_NEAR(us(lines[0].seconds), 395, 1e-6);
  EXPECT_NEAR(us(lines[0].busy), 400, 1e-6);
  EXPECT_EQ(lines[0].calls, 2u);
  EXPECT_NEAR(us(lines[0].floor), 512, 1e-6); // 512 FLOP at 1 MFLOP/s
  EXPECT_EQ(lines[1].what, "all_reduce sum over tp, f32 128 B");
  EXPECT_NEAR(us(lines[1].seconds), 340, 1e-6);
  EXPECT_EQ(lines[2].what, "fill");
  EXPECT_NEAR(us(lines[2].seconds), 100, 1e-6);
  EXPECT_NEAR(us(lines[2].floor), 0.512, 1e-9); // 512 bytes at 1 GB/s
  EXPECT_NEAR(us(lines[3].seconds), 55, 1e-6);
  ASSERT_EQ(summary.ranks.size(), 2u);
  EXPECT_NEAR(us(summary.ranks[0].measured), 1000, 1e-6);
  EXPECT_NEAR(us(summary.ranks[0].inSteps), 890, 1e-6);
  EXPECT_NEAR(us(summary.ranks[0].gap()), 110, 1e-6);
  EXPECT_NEAR(us(summary.ranks[0].collectives), 340, 1e-6);
  EXPECT_NEAR(us(summary.ranks[0].waiting), 200, 1e-6);
  EXPECT_NEAR(us(summary.ranks[1].waiting), 0, 1e-6);
  EXPECT_NEAR(us(summary.ranks[1].inSteps), 770, 1e-6); // a hole of 120
}

TEST(ProfileTable, ForPeopleAndPrograms) {
  auto summary = sampleSummary();
  ProfileContext context;
  context.plan = "a \"plan\"";
  context.ceilings = {.bytesPerSecond = 1e9, .flopsPerSecond = 1e6};
  context.overhead = 0.0125;
  char *text = nullptr;
  std::size_t size = 0;
  auto *out = ::open_memstream(&text, &size);
  printProfileTable(out, context, summary, 2);
  std::fclose(out);
  std::string table(text, size);
  std::free(text);
  for (auto expected :
       {"395.0  39.5%", "gemm f32->f32 nt 16x2x8", "(2 more)", "+1.25%",
        "890.0  89.0%  in steps", "110.0  11.0%  gap", "1000.0 100.0%"})
    EXPECT_NE(table.find(expected), std::string::npos) << expected << table;
  EXPECT_EQ(table.find("fill"), std::string::npos);

  auto json = nlohmann::json::parse(profileJson(context, summary));
  EXPECT_EQ(json["plan"], "a \"plan\"");
  EXPECT_EQ(json["steps"], 2);
  EXPECT_EQ(json["lines"].size(), 4u);
  EXPECT_NEAR(json["lines"][0]["us_per_step"], 395, 1e-6);
  EXPECT_NEAR(json["step_us"].get<double>(), 1000, 1e-6);
  EXPECT_NEAR(json["gap_us"].get<double>(), 110, 1e-6);
  EXPECT_NEAR(json["tracing_overhead"].get<double>(), 0.0125, 1e-12);
  EXPECT_EQ(json["ranks"].size(), 2u);
}

} // namespace
} // namespace llamarun
