#include "runtime/train/StepPlan.h"

#include "runtime/data/Sampler.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

namespace llamarun {
namespace {

Dataset ofLengths(const std::vector<std::size_t> &lengths) {
  Dataset data;
  data.file = "data.tsv";
  for (auto length : lengths)
    data.sequences.emplace_back(length, 1);
  return data;
}

TEST(PlanEpoch, KeepsTheLastSmallerBatch) {
  auto plan = tiny::makePlan({.batch = 4});
  auto data = ofLengths(std::vector<std::size_t>(10, 3));
  auto steps =
      planEpoch(*plan, data, sequentialOrder(10), defaultDealing(*plan));
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0], (StepPlan{{0, 1, 2, 3}}));
  EXPECT_EQ(steps[2], (StepPlan{{8, 9}}));
  EXPECT_EQ(stepsPerEpoch(plan->task(), defaultDealing(*plan), 10), 3u);
}

TEST(PlanEpoch, GroupsMicroBatches) {
  auto plan = tiny::makePlan({.batch = 2, .accumulation = 3});
  auto data = ofLengths(std::vector<std::size_t>(9, 3));
  auto steps =
      planEpoch(*plan, data, sequentialOrder(9), defaultDealing(*plan));
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0], (StepPlan{{0, 1}, {2, 3}, {4, 5}}));
  EXPECT_EQ(steps[1], (StepPlan{{6, 7}, {8}}));
  EXPECT_EQ(stepsPerEpoch(plan->task(), defaultDealing(*plan), 9), 2u);
}

TEST(PlanEpoch, SplitsWhatIsTooLongIfItCanAccumulate) {
  auto data = ofLengths({8, 8, 8, 8, 2, 2, 2, 2});
  auto order = sequentialOrder(8);
  auto can = tiny::makePlan({.batch = 4, .accumulation = 2, .buckets = {16}});
  auto steps = planEpoch(*can, data, order, defaultDealing(*can));
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0], (StepPlan{{0, 1}, {2, 3}, {4, 5, 6, 7}}));
  auto cannot = tiny::makePlan({.batch = 4, .buckets = {16}});
  expectFailure(
      ExitCode::BadInput, {"32 tokens", "holds 16", "--per-device-batch-size"},
      [&] { planEpoch(*cannot, data, order, defaultDealing(*cannot)); });
  // A single sequence is too long for either.
  expectFailure(
      ExitCode::BadInput,
      {"example 0", "17 tokens", "holds 16", "--max-seq-length"},
      [&] { planEpoch(*can, ofLengths({17}), {0}, defaultDealing(*can)); });
}

TEST(PlanEpoch, DealsBatchesInTurn) {
  auto plan = tiny::makePlan({.batch = 2, .accumulation = 2, .dp = 2});
  auto data = ofLengths(std::vector<std::size_t>(11, 3));
  auto dealing = defaultDealing(*plan);
  auto steps = planEpoch(*plan, data, sequentialOrder(11), dealing);
  ASSERT_EQ(steps.size(), 2u);
  auto step = [](std::initializer_list<MicroBatch> batches) {
    return StepPlan(batches);
  };
  auto batch = [](std::vector<std::uint32_t> examples, unsigned rank) {
    return MicroBatch(std::move(examples), rank);
  };
  EXPECT_EQ(steps[0], step({batch({0, 1}, 0), batch({2, 3}, 1),
                            batch({4, 5}, 0), batch({6, 7}, 1)}));
  EXPECT_EQ(steps[1], step({batch({8, 9}, 0), batch({10}, 1)}));
  EXPECT_EQ(stepsPerEpoch(plan->task(), dealing, 11), 2u);
  EXPECT_EQ(ownOf(steps[0], 1), (std::vector<std::size_t>{1, 3}));
  EXPECT_TRUE(ownOf(steps[1], 2).empty());
  // A batch that is cut stays with its rank, in its place.
  data = ofLengths({3, 3, 8, 8, 8, 3, 3, 3});
  auto uneven = planEpoch(*plan, data, sequentialOrder(8), Dealing{{1, 5}});
  EXPECT_EQ(uneven[0], step({batch({0}, 0), batch({1, 2, 3, 4}, 1),
                             batch({5}, 1), batch({6}, 0), batch({7}, 1)}));
}

TEST(PlanEvaluation, FillsProgramsInOrder) {
  auto plan = tiny::makePlan({.sequences = 3, .buckets = {8, 12}});
  auto batches =
      planEvaluation(*plan, ofLengths({1, 2, 3, 6, 6, 7}), {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(batches, (std::vector<MicroBatch>{{0, 1, 2}, {3, 4}, {5}}));
}

} // namespace
} // namespace llamarun
