#include "runtime/trace/StepCosts.h"

#include "test/runtime/trace/TraceSamples.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

TEST(StepCosts, NamesPlacesAndWork) {
  auto plan = test::twoRankPlan().load();
  auto costs = stepCosts(*plan, plan->program(0));
  ASSERT_EQ(costs.size(), 4u);
  EXPECT_EQ(costs[0].title, "fill");
  EXPECT_EQ(costs[0].bytes, 16 * 8 * 4);
  EXPECT_EQ(costs[1].title, "gemm f32->f32 nt 16x2x8");
  EXPECT_EQ(costs[1].shape, "16x2x8");
  EXPECT_EQ(costs[1].flops, 2.0 * 16 * 2 * 8);
  EXPECT_EQ(costs[1].bytes, 4.0 * (16 * 8 + 2 * 8 + 16 * 2));
  EXPECT_EQ(costs[1].position, "a.mlir:3:7");
  EXPECT_EQ(costs[1].name, "layers.0 \"q\"");
  EXPECT_EQ(costs[2].title, "all_reduce sum over tp, f32 128 B");
  EXPECT_EQ(costs[2].position, ""); // a name alone
  EXPECT_EQ(costs[2].name, "loss");
  EXPECT_EQ(costs[2].group, 2u);
  EXPECT_EQ(costs[2].devices, 2u);
  EXPECT_GT(costs[2].predicted, 0);
  EXPECT_EQ(costs[2].takenBy, -1);
  EXPECT_EQ(costs[3].title, "copy");
  EXPECT_EQ(costs[3].stream, 1u);
  EXPECT_EQ(costs[3].group, 0u);
}

// What a program counts beyond its products is attention's: two products
// forward, five backward.
TEST(StepCosts, AttentionTakesTheRestOfTheFlops) {
  auto builder = test::smallPlan();
  auto &program = *builder.plan.programs[0];
  auto code = builder.code(fb::CodeFormat::ElfSharedObject, "x86-64", "code");
  for (auto name :
       {"attention", "attention_grad", "product with few columns"}) {
    auto kernel = builder.kernel(name[0] == 'p' ? "skinny" : name, code);
    builder.plan.kernels[kernel]->description = name;
    auto &launch = builder.step(program, fb::LaunchT{});
    launch.kernel = kernel;
    launch.writes = {0};
    launch.scalars = {3, 5, 7};
  }
  double products = 2 * (2.0 * 16 * 2 * 8) + 2 * 3 * 5 * 7;
  program.flops = static_cast<std::uint64_t>(products) + 700;
  auto plan = builder.load();
  auto costs = stepCosts(*plan, plan->program(0));
  ASSERT_EQ(costs.size(), 7u);
  EXPECT_EQ(costs[4].flops, 200);
  EXPECT_EQ(costs[5].flops, 500);
  EXPECT_EQ(costs[6].flops, 210);
  EXPECT_EQ(costs[4].detail, "attention");
  double all = 0;
  for (auto &cost : costs)
    all += cost.flops;
  EXPECT_EQ(all, static_cast<double>(program.flops));
}

} // namespace
} // namespace llamarun
