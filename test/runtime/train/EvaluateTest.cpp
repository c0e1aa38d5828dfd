#include "runtime/train/Evaluate.h"

#include "test/runtime/train/TinyPlan.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llamarun {
namespace {

/// Lengths that sorting reorders thoroughly.
Dataset manyScores() {
  Dataset data;
  data.name = "dev";
  for (int i = 0; i < 23; ++i) {
    data.sequences.emplace_back(static_cast<std::size_t>(1 + (i * 5) % 8), i);
    data.labels.push_back(static_cast<float>((i * 7) % 23) / 5);
  }
  return data;
}

TEST(Evaluate, ResultsAreInTheOrderOfTheData) {
  auto session = tiny::openSession();
  ProgramRunner runner(*session, 0);
  Dataset data = manyScores();
  Evaluation result = evaluateDataset(runner, findGlueTask("stsb"), data);
  EXPECT_EQ(result.logits, data.labels); // TinyPlan's logits are the labels
  EXPECT_EQ(result.samples, 23u);
  std::uint64_t tokens = 0;
  for (auto &ids : data.sequences)
    tokens += ids.size();
  EXPECT_EQ(result.tokens, tokens);
  ASSERT_EQ(result.metrics.size(), 4u);
  EXPECT_EQ(result.metrics[0].first, "loss");
  // TinyPlan reports loss_scale: 1 a batch, once it is weighted again.
  auto batches =
      planEvaluation(session->plan(), data, orderByLength(data)).size();
  EXPECT_NEAR(result.metrics[0].second, static_cast<double>(batches) / 23,
              1e-6);
  EXPECT_EQ(result.metrics[1].first, "pearson");
  EXPECT_NEAR(result.metrics[1].second, 1, 1e-12);
}

// TinyPlan's regulariser is 0.125. A saved adapter has lost the rows it is
// over.
TEST(Evaluate, AdaLoraHasItsRegulariserWhileTraining) {
  auto session = tiny::openSession({.adalora = true});
  ProgramRunner runner(*session, 0);
  Dataset data = manyScores();
  auto training =
      evaluateDataset(runner, findGlueTask("stsb"), data, false, true);
  ASSERT_EQ(training.metrics.size(), 5u);
  EXPECT_EQ(training.metrics[0].first, "loss");
  EXPECT_EQ(training.metrics[1].first, "task_loss");
  EXPECT_NEAR(training.metrics[0].second - training.metrics[1].second, 0.125,
              1e-9);
  auto alone = evaluateDataset(runner, findGlueTask("stsb"), data);
  EXPECT_EQ(alone.metrics[0].first, "task_loss");
  EXPECT_EQ(alone.metrics[0].second, training.metrics[1].second);
}

TEST(Evaluate, WithoutLabelsThereAreNoMetrics) {
  auto session = tiny::openSession(
      {.task = "sst2", .head = fb::Head::Classification, .labels = 2});
  ProgramRunner runner(*session, 0);
  Dataset data = manyScores();
  data.labels.assign(data.size(), std::nanf(""));
  Evaluation result = evaluateDataset(runner, findGlueTask("sst2"), data);
  EXPECT_TRUE(result.metrics.empty());
  EXPECT_EQ(result.logits.size(), 46u);
}

TEST(Evaluate, PerplexityOfCausalLM) {
  auto session = tiny::openSession(
      {.task = "lm", .head = fb::Head::CausalLM, .labels = 0});
  ProgramRunner runner(*session, 0);
  Dataset data;
  data.sequences = {{1, 2, 3}, {1, 2}};
  Evaluation result = evaluateDataset(runner, nullptr, data);
  ASSERT_EQ(result.metrics.size(), 2u);
  EXPECT_EQ(result.metrics[1].first, "perplexity");
  EXPECT_NEAR(result.metrics[1].second, std::exp(1.0 / 3), 1e-6);
  EXPECT_TRUE(result.logits.empty());
}

TEST(Evaluate, OrdersByLengthStably) {
  Dataset data;
  data.sequences = {{1, 1}, {1}, {1, 1}, {1}};
  EXPECT_EQ(orderByLength(data), (std::vector<std::uint32_t>{1, 3, 0, 2}));
}

TEST(Evaluate, PredictionsOfLogits) {
  EXPECT_EQ(predictionsOf(HeadKind::Classification,
                          {1, 2, 0, 5, 5, 4, -3, -2, -1}, 3),
            (std::vector<double>{1, 0, 2}));
  EXPECT_EQ(predictionsOf(HeadKind::Regression, {1.5f, 2.5f}, 1),
            (std::vector<double>{1.5, 2.5}));
}

} // namespace
} // namespace llamarun
