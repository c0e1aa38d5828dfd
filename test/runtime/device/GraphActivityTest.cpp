// Records as CUPTI gives them, made by hand: no GPU here.
#include "runtime/device/GraphActivity.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

/// Two steps of program 3 captured as nodes 10 to 13 (13 of no step), and
/// instantiated as nodes 110 to 113.
GraphNodes sampleNodes() {
  GraphNodes nodes;
  nodes.created(10, workTag(3, 0));
  nodes.created(11, workTag(3, 1)); // a product in two kernels
  nodes.created(12, workTag(3, 1));
  nodes.created(13, kNoTag);
  for (std::uint64_t node = 10; node <= 13; ++node)
    nodes.cloned(node, node + 100);
  nodes.cloned(77, 177); // of a graph that somebody else made
  return nodes;
}

TEST(GraphActivity, NodesOfExecutableGraphsAreTheirOriginals) {
  auto nodes = sampleNodes();
  EXPECT_EQ(nodes.find(110), workTag(3, 0));
  EXPECT_EQ(nodes.find(112), workTag(3, 1));
  EXPECT_EQ(nodes.find(113), kNoTag);
  EXPECT_EQ(nodes.find(177), kNoTag);
  EXPECT_EQ(nodes.find(5), kNoTag);
  // A graph made again from the same nodes.
  nodes.cloned(110, 210);
  EXPECT_EQ(nodes.find(210), workTag(3, 0));
}

TEST(GraphActivity, RunsAndStepsInOrder) {
  auto nodes = sampleNodes();
  GpuActivities activities;
  auto main = activities.name("gemm_kernel"), split = activities.name("reduce"),
       fill = activities.name("fill"), in = activities.name("copy to device");
  EXPECT_EQ(activities.name("gemm_kernel"), main);
  // Buffers come back in any order, and records in them, too. Correlations rise
  // with the launches: 9, 20.
  activities.add({112, 20, 7, split, 2500, 2600});
  activities.add({110, 20, 7, fill, 2000, 2100});
  activities.add({111, 9, 7, main, 1100, 1400});
  activities.add({112, 9, 8, split, 1350, 1500});
  activities.add({110, 9, 7, fill, 1000, 1100});
  activities.add({111, 20, 7, main, 2100, 2400});
  activities.add({0, 8, 1, in, 900, 950});       // by no graph
  activities.add({113, 9, 7, main, 1500, 1600}); // of no step
  std::uint32_t run = 5;
  auto records = activities.take(nodes, run);
  EXPECT_EQ(run, 7u);
  EXPECT_EQ(records.lost, 1u);
  ASSERT_EQ(records.steps.size(), 4u);
  auto &steps = records.steps;
  EXPECT_EQ(steps[0].tag, workTag(3, 0));
  EXPECT_EQ(steps[0].run, 5u);
  EXPECT_EQ(records.names[steps[0].name], "fill");
  EXPECT_EQ(steps[1].tag, workTag(3, 1));
  EXPECT_EQ(steps[1].begin, 1100);
  EXPECT_EQ(steps[1].end, 1500);
  EXPECT_EQ(records.names[steps[1].name], "gemm_kernel + reduce");
  EXPECT_EQ(steps[2].run, 6u);
  EXPECT_EQ(steps[3].begin, 2100);
  EXPECT_EQ(steps[3].end, 2600);
  ASSERT_EQ(records.pieces.size(), 7u);
  EXPECT_EQ(records.pieces[0].tag, kNoTag);
  EXPECT_EQ(records.names[records.pieces[0].name], "copy to device");
  // Taken is taken; names keep their numbers.
  activities.add({110, 31, 7, fill, 3000, 3100});
  auto more = activities.take(nodes, run);
  ASSERT_EQ(more.steps.size(), 1u);
  EXPECT_EQ(more.steps[0].run, 7u);
  EXPECT_EQ(more.names[more.steps[0].name], "fill");
  EXPECT_EQ(run, 8u);
}

} // namespace
} // namespace llamarun
