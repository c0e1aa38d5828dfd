#include "runtime/train/BenchReport.h"

#include "test/runtime/plan/PlanBuilder.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

BenchResult sample() {
  BenchResult result;
  result.steps = 10;
  result.tokens = 1000;
  result.samples = 80;
  result.seconds = {.p50 = 0.010, .p95 = 0.012, .p99 = 0.013, .mean = 0.010};
  result.wallSeconds = 0.125;
  result.bytes = 10 * 20e9; // 5 ms a step at 4 TB/s
  result.flops = 10 * 2e12; // 2.5 ms a step at 800 TFLOP/s
  result.buckets = {{.program = "train_128",
                     .bucket = 128,
                     .steps = 10,
                     .tokens = 1000,
                     .seconds = result.seconds,
                     .bytes = 20e9,
                     .flops = 2e12}};
  return result;
}

TEST(BenchReport, SharesOfTheFloors) {
  auto plan = test::smallPlan().load();
  BenchContext context;
  context.device = "a device";
  context.ceilings = {.bytesPerSecond = 4e12, .flopsPerSecond = 800e12};
  context.allocatedBytes = 3ull << 30;
  auto json = nlohmann::json::parse(benchJson(*plan, context, sample()));
  EXPECT_DOUBLE_EQ(json["step"]["p50_ms"], 10);
  EXPECT_DOUBLE_EQ(json["wall_ms"], 12.5);
  EXPECT_DOUBLE_EQ(json["real_tokens_per_second"], 8000);
  EXPECT_DOUBLE_EQ(json["samples_per_second"], 640);
  EXPECT_DOUBLE_EQ(json["fraction_of_byte_floor"], 0.5);
  EXPECT_DOUBLE_EQ(json["fraction_of_flop_floor"], 0.25);
  EXPECT_DOUBLE_EQ(json["allocated_gib"], 3);
  EXPECT_EQ(json["buckets"][0]["program"], "train_128");
  EXPECT_DOUBLE_EQ(json["buckets"][0]["real_tokens"], 100);

  TestDirectory directory;
  std::FILE *file = std::fopen((directory / "out").c_str(), "w");
  printBench(file, *plan, context, sample());
  context.ceilings = {}; // not known: no share of anything
  printBench(file, *plan, context, sample());
  std::fclose(file);
  auto text = contents(directory / "out");
  EXPECT_NE(text.find("p50 10.000"), std::string::npos) << text;
  EXPECT_NE(text.find("bytes 5.000 ms (50% of the mean step)"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("floors", text.find("floors") + 1), std::string::npos);
}

TEST(BenchReport, ProfileGroupsTheSameWork) {
  auto builder = test::smallPlan();
  auto &program = *builder.plan.programs[0];
  // fill, gemm, gemm +, copy; another of the first GEMM, 16 x 2 x 8.
  auto first = *static_cast<fb::GemmT *>(program.steps[1]->operation.value);
  builder.step(program, first);
  auto plan = builder.load();
  auto groups = groupProfile(*plan, plan->program(0), {1, 20, 5, 2, 30});
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(groups[0].what, "gemm f32->f32 nt 16x2x8");
  EXPECT_EQ(groups[0].count, 2u);
  EXPECT_EQ(groups[0].seconds, 50);
  EXPECT_EQ(groups[0].flops, 2 * 2 * 16 * 2 * 8.0);
  EXPECT_EQ(groups[0].bytes, 2 * 4 * (16 * 8 + 2 * 8 + 16 * 2.0));
  EXPECT_EQ(groups[1].what, "gemm f32->f32 nt 16x2x8 +");
  EXPECT_EQ(groups[1].bytes, 4 * (16 * 8 + 2 * 8 + 2 * 16 * 2.0));
  EXPECT_EQ(groups[2].what, "copy");
  EXPECT_EQ(groups[2].bytes, 2 * 16.0);
  EXPECT_EQ(groups[3].what, "fill");
}

} // namespace
} // namespace llamarun
