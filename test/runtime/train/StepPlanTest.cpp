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

TEST(PlanEvaluation, FillsProgramsInOrder) {
  auto plan = tiny::makePlan({.sequences = 3, .buckets = {8, 12}});
  auto batches =
      planEvaluation(*plan, ofLengths({1, 2, 3, 6, 6, 7}), {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(batches, (std::vector<MicroBatch>{{0, 1, 2}, {3, 4}, {5}}));
}

} // namespace
} // namespace llamarun
