#include "runtime/comm/Grid.h"

#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>

using namespace llamarun;

namespace {

using Ranks = std::vector<unsigned>;
using Axes = std::vector<std::uint8_t>;

// dp=2 x tp=4, drawn by hand: tensor-parallel ranks are neighbours.
//        tp 0 1 2 3
//   dp 0    0 1 2 3
//   dp 1    4 5 6 7
TEST(Grid, TwoAxes) {
  Grid grid({2, 4}, {"dp", "tp"});
  EXPECT_EQ(grid.devices(), 8u);
  EXPECT_EQ(grid.find("tp"), 1u);
  EXPECT_EQ(grid.find("pp"), 2u);
  EXPECT_EQ(grid.coordinates(0), (Ranks{0, 0}));
  EXPECT_EQ(grid.coordinates(3), (Ranks{0, 3}));
  EXPECT_EQ(grid.coordinates(6), (Ranks{1, 2}));
  EXPECT_EQ(grid.group(6, Axes{0}), (Ranks{2, 6}));
  EXPECT_EQ(grid.group(6, Axes{1}), (Ranks{4, 5, 6, 7}));
  EXPECT_EQ(grid.group(6, Axes{0, 1}), (Ranks{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(grid.group(6, Axes{}), (Ranks{6}));
  EXPECT_EQ(grid.part(6, Axes{0}), 1u);
  EXPECT_EQ(grid.part(6, Axes{1}), 2u);
  EXPECT_EQ(grid.part(6, Axes{0, 1}), 6u);
  // tp outer, dp inner: 2 * 2 + 1.
  EXPECT_EQ(grid.part(6, Axes{1, 0}), 5u);
  EXPECT_EQ(grid.part(6, Axes{}), 0u);
}

TEST(Grid, ThreeAxesMiddleOne) {
  Grid grid({2, 3, 2});
  // Rank = (a * 3 + b) * 2 + c.
  EXPECT_EQ(grid.coordinates(9), (Ranks{1, 1, 1}));
  EXPECT_EQ(grid.group(9, Axes{1}), (Ranks{7, 9, 11}));
  EXPECT_EQ(grid.group(9, Axes{0, 2}), (Ranks{2, 3, 8, 9}));
}

TEST(Grid, RankOutside) {
  Grid grid({2, 2});
  EXPECT_THROW(grid.coordinates(4), Error);
  EXPECT_THROW(grid.group(4, Axes{0}), Error);
}

TEST(Grid, OfPlans) {
  test::PlanBuilder builder = test::smallPlan();
  Grid none(*builder.load());
  EXPECT_EQ(none.axes(), 0u);
  EXPECT_EQ(none.devices(), 1u);
  EXPECT_EQ(none.group(0, Axes{}), (Ranks{0}));
  for (auto *name : {"dp", "tp"}) {
    auto axis = std::make_unique<fb::GridAxisT>();
    axis->name = name;
    axis->size = *name == 'd' ? 3 : 2;
    builder.plan.grid.push_back(std::move(axis));
  }
  Grid grid(*builder.load());
  EXPECT_EQ(grid.devices(), 6u);
  EXPECT_EQ(grid.name(0), "dp");
  EXPECT_EQ(grid.size(1), 2u);
}

} // namespace
