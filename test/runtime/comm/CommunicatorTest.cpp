#include "runtime/comm/Communicator.h"

#include "runtime/support/Error.h"
#include "test/runtime/comm/CommPlan.h"
#include "test/runtime/comm/ThreadPeers.h"

#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

using Axes = std::vector<std::uint8_t>;
using Keys = std::vector<CommunicatorKey>;

PlanBuilder withCollectives(unsigned dp, unsigned tp,
                            const std::vector<Axes> &sets) {
  auto builder = gridPlan(dp, tp);
  auto x = builder.buffer(fb::Category::Activations, fb::DType::F32, {4});
  auto &program = builder.program(fb::ProgramKind::Evaluate, 4, 1);
  PlanBuilder::step(program, fb::FillT{}).target = x;
  for (auto &axes : sets)
    collective(program, fb::CollectiveKind::AllReduceSum, axes, x, x);
  return builder;
}

TEST(Communicator, OneForEachSetOfAxesThatMatters) {
  EXPECT_EQ(communicatorsOf(*withCollectives(2, 2, {}).load()), Keys{});
  auto builder = withCollectives(2, 2, {{1}, {0, 1}, {1}});
  EXPECT_EQ(communicatorsOf(*builder.load()), (Keys{{2, 0}, {3, 0}}));
  // Those of two streams may interleave: they have each their own.
  builder.plan.programs[0]->streams = 3;
  builder.plan.programs[0]->steps.back()->stream = 2;
  EXPECT_EQ(communicatorsOf(*builder.load()), (Keys{{2, 0}, {2, 2}, {3, 0}}));
  // An axis of one device does not tell groups apart.
  EXPECT_EQ(communicatorsOf(*withCollectives(1, 2, {{1}, {0, 1}, {0}}).load()),
            (Keys{{2, 0}}));
  Grid grid({1, 3, 2});
  EXPECT_EQ(groupKey(grid, Axes{0, 1, 2}), 6u);
  EXPECT_EQ(groupKey(grid, Axes{0}), 0u);
  EXPECT_EQ(groupAxes(6), (Axes{1, 2}));
  EXPECT_EQ(groupAxes(0), Axes{});
}

TEST(Communicator, WorldOfOneCopies) {
  runRanks(1, [](ThreadPeers &peers) {
    auto plan = withCollectives(1, 1, {{0}}).load();
    auto device = createDevice("cpu", {.threads = 1});
    auto communicators = createCommunicators(*plan, peers, *device);
    EXPECT_EQ(communicators->rank(), 0u);
    EXPECT_EQ(communicators->grid().axes(), 2u);
    float from[2] = {1, 2}, to[2] = {};
    CollectiveCall call{fb::CollectiveKind::AllReduceSum,
                        fb::DType::F32,
                        {from, 8},
                        {to, 8},
                        0,
                        "title"};
    communicators->prepare(*device, Axes{0}, call);
    communicators->enqueue(*device, 0, Axes{0}, call);
    EXPECT_EQ(to[1], 2);
  });
}

TEST(Communicator, WorldMustBeTheGrid) {
  runRanks(1, [](ThreadPeers &peers) {
    auto plan = withCollectives(2, 2, {{0}}).load();
    auto device = createDevice("cpu", {.threads = 1});
    try {
      createCommunicators(*plan, peers, *device);
      FAIL();
    } catch (const Error &error) {
      EXPECT_EQ(error.code(), ExitCode::BadInput);
      EXPECT_STREQ(error.what(), "test.fb: plan is for a grid of 4 devices, "
                                 "the job has 1 ranks");
    }
  });
}

} // namespace
