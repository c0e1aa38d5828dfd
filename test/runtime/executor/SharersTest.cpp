#include "runtime/executor/Sharers.h"

#include "test/runtime/comm/CommPlan.h"

#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

using enum fb::CollectiveKind;
using Keys = std::vector<CommunicatorKey>;

TEST(Sharers, ByAllocation) {
  auto b = gridPlan(2, 2, "cuda");
  auto x = b.buffer(fb::Category::Activations, fb::DType::F32, {8});
  auto g = b.tensor(fb::Role::State, "g", {8}); // optimizer state
  b.tensor(fb::Role::Weight, "w", {8});
  auto &program = b.program(fb::ProgramKind::Train, 16, 4);
  program.streams = 3;
  collective(program, AllReduceSum, {1}, x, x);
  collective(program, AllReduceSum, {0}, g, g, 2);
  collective(program, AllReduceSum, {1}, g, g, 2);
  // Over dp activations may lie in arenas of different sizes.
  collective(program, AllReduceSum, {0, 1}, x, x, 2);
  auto loss = program.outputs[0]->buffer;
  collective(program, AllReduceSum, {0, 1}, loss, loss, 0);
  auto plan = b.load();
  auto sharers = sharersOf(*plan);
  ASSERT_EQ(sharers.size(), plan->allocationCount());
  for (std::size_t i = 0; i < sharers.size(); ++i)
    switch (plan->allocation(i).category()) {
    case fb::Category::Activations:
      EXPECT_EQ(sharers[i], (Keys{{2, 0}}));
      break;
    case fb::Category::OptimizerState:
      EXPECT_EQ(sharers[i], (Keys{{1, 2}, {2, 2}}));
      break;
    case fb::Category::Outputs:
      EXPECT_EQ(sharers[i], (Keys{{3, 0}}));
      break;
    default:
      EXPECT_EQ(sharers[i], Keys{});
    }
}

} // namespace
