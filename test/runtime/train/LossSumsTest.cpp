#include "runtime/train/LossSums.h"

#include "test/runtime/train/ThreadRanks.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

namespace llamarun {
namespace {

StepResult result(double loss, double share = 0) {
  StepResult step;
  step.loss = loss;
  step.share = share;
  return step;
}

TEST(LossSums, MeansAreOfTheStepsSinceTheLine) {
  Ranks ranks;
  LossSums sums(ranks, true);
  EXPECT_FALSE(sums.exchanges());
  sums.add(result(1));
  sums.add(result(2));
  EXPECT_EQ(sums.meanLoss(), 1.5);
  sums.restart();
  sums.add(result(5));
  EXPECT_EQ(sums.meanLoss(), 5);
  EXPECT_EQ(sums.total(), 8);
}

TEST(LossSums, GoOnFromWhatWasStored) {
  Ranks ranks;
  LossSums first(ranks, false);
  first.add(result(1));
  first.add(result(2));
  RunningSums stored;
  first.store(stored);
  EXPECT_EQ(stored.count, 2u);
  EXPECT_EQ(stored.shares, std::vector<double>{0});
  LossSums second(ranks, false);
  second.restore(stored);
  second.add(result(6));
  EXPECT_EQ(second.meanLoss(), 3);
  EXPECT_EQ(second.total(), 9);
}

TEST(LossSums, SharesOfReplicasCountOnce) {
  test::runRanks(2, [](Peers &peers) {
    auto plan = tiny::makePlan({.dp = 2});
    Ranks ranks(*plan, &peers);
    LossSums sums(ranks, true);
    EXPECT_TRUE(sums.exchanges());
    sums.add(result(1, ranks.first() ? 0.25 : 0.5));
    RunningSums stored;
    sums.store(stored);
    EXPECT_EQ(stored.shares, std::vector<double>{ranks.first() ? 0.25 : 0.5});
    sums.collect();
    EXPECT_EQ(sums.meanLoss(), 1.75);
    sums.collect();
    EXPECT_EQ(sums.total(), 1.75);
    // Each takes its own up again; of another layout they are in the sums.
    stored.shares = {0.25, 0.5};
    LossSums again(ranks, true);
    again.restore(stored);
    again.collect();
    EXPECT_EQ(again.meanLoss(), 1.75);
    stored.shares = {0.25, 0.5, 0, 0};
    LossSums folded(ranks, true);
    folded.restore(stored);
    EXPECT_EQ(folded.meanLoss(), 1.75);
    folded.collect();
    EXPECT_EQ(folded.meanLoss(), 1.75);
  });
}

} // namespace
} // namespace llamarun
