// The training loop on several ranks. TinyPlan's loss is loss_scale: 1 / labels
// of the whole batch, the same on all ranks as if a collective had added it up.
#include "runtime/io/PeftAdapter.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Trainer.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

namespace llamarun {
namespace {

using nlohmann::json;

Dataset examples(const char *name, std::size_t count) {
  Dataset data;
  data.name = name;
  data.file = "data.tsv";
  for (std::size_t i = 0; i < count; ++i) {
    data.sequences.emplace_back(1 + i % 5, static_cast<std::int32_t>(i));
    data.labels.push_back(static_cast<float>(i % 4));
  }
  return data;
}

class GridTrainer : public ::testing::Test {
protected:
  GridTrainer() : sink(std::fopen((directory / "out").c_str(), "w")) {}
  ~GridTrainer() override { std::fclose(sink); }

  std::array<TrainOutcome, 4> run(const tiny::Options &planOptions,
                                  std::size_t samples) {
    std::array<TrainOutcome, 4> outcomes;
    tiny::runGrid(planOptions, [&](Session &session, const Ranks &ranks) {
      initializeTensors(session, 42, ranks);
      ProgramRunner runner(session, 42, ranks);
      Dataset training = examples("train", samples);
      std::vector<Dataset> evaluation{examples("dev", 23)};
      TrainOptions mine = options;
      mine.outputDir = directory / "run";
      mine.out = mine.progress = sink;
      mine.stopRequested = [&, rank = ranks.rank()] {
        return requested ? requested(rank) : 0;
      };
      outcomes[ranks.rank()] = train(session, runner, findGlueTask("stsb"),
                                     training, evaluation, mine);
    });
    return outcomes;
  }

  std::vector<json> lines() const {
    std::vector<json> parsed;
    std::istringstream text(contents(directory / "run/metrics.jsonl"));
    for (std::string line; std::getline(text, line);)
      parsed.push_back(json::parse(line));
    return parsed;
  }

  TestDirectory directory;
  std::FILE *sink;
  TrainOptions options;
  std::function<int(unsigned rank)> requested;
};

TEST_F(GridTrainer, StepsAreOverTheWholeBatch) {
  options.loggingSteps = 1;
  options.epochs = 2;
  // 2 replicas of 4: 18 examples are 2 full steps and one of 2, all of which
  // rank 0's replica has.
  auto outcomes = run({.rows = 4, .dp = 2, .tp = 2}, 18);
  for (auto &outcome : outcomes)
    EXPECT_EQ(outcome.steps, 6u);
  std::vector<double> losses;
  std::size_t evaluations = 0;
  for (auto &line : lines()) {
    if (line.contains("loss"))
      losses.push_back(line["loss"]);
    if (line.contains("eval_pearson")) {
      EXPECT_NEAR(line["eval_pearson"], 1, 1e-12);
      EXPECT_EQ(line["eval_samples"], 23);
      ++evaluations;
    }
  }
  EXPECT_EQ(losses,
            (std::vector<double>{0.125, 0.125, 0.5, 0.125, 0.125, 0.5}));
  EXPECT_EQ(evaluations, 2u) << "not rank 0 alone";
  auto last = lines().back();
  std::uint64_t tokens = 0;
  for (auto &ids : examples("train", 18).sequences)
    tokens += ids.size();
  EXPECT_EQ(last["tokens"], 2 * tokens) << "not those of all ranks";
}

TEST_F(GridTrainer, SharesAreDealtAsTold) {
  options.loggingSteps = 1;
  options.epochs = 1;
  options.evaluate = When::Never;
  options.dealing = Dealing{{1, 3}};
  run({.dp = 2}, 8);
  // A global batch of 4, not of 8.
  auto all = lines();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["loss"], 0.25);
  EXPECT_EQ(all[1]["step"], 2);
}

TEST_F(GridTrainer, LossesOfAccumulatedBatchesAreAddedUp) {
  options.loggingSteps = 2;
  options.epochs = 1;
  options.evaluate = When::Never;
  // Steps of 2 replicas x 2 batches of 2; 14 examples: a full step and one of 6
  // examples in three batches. Each Accumulate reports its loss_scale, for its
  // replica alone; Train once for all.
  run({.batch = 2, .accumulation = 2, .dp = 2}, 14);
  auto all = lines();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_NEAR(all[0]["loss"], 3 / 8.0, 1e-6);
  EXPECT_NEAR(all[1]["loss"], 2 / 6.0, 1e-6);
  EXPECT_NEAR(all[2]["train_loss"], (3 / 8.0 + 2 / 6.0) / 2, 1e-6);
}

TEST_F(GridTrainer, AnyRanksSignalStopsAllAfterTheSameStep) {
  options.maxSteps = 1'000'000;
  options.evaluate = When::Never;
  std::atomic<int> questions = 0;
  requested = [&](unsigned rank) {
    return rank == 2 && ++questions > 3 ? SIGTERM : 0;
  };
  auto outcomes = run({.rows = 4, .dp = 2, .tp = 2}, 64);
  for (auto &outcome : outcomes) {
    EXPECT_EQ(outcome.signal, SIGTERM);
    EXPECT_EQ(outcome.steps, outcomes[0].steps);
  }
  EXPECT_EQ(lines().back()["step"], outcomes[0].steps);
  EXPECT_EQ(readPeftAdapter(directory / "run").tensors.size(), 3u);
}

TEST_F(GridTrainer, NumericsEndAllRanksWithOneCause) {
  options.maxSteps = 1000;
  expectFailure(ExitCode::Numerics, {"step 1: loss is inf", tiny::kLoraB}, [&] {
    run({.rows = 4, .trainLoss = 1e39, .gradient = 1e39, .dp = 2, .tp = 2}, 64);
  });
}

TEST_F(GridTrainer, AnErrorOfOneRankEndsTheOthers) {
  options.maxSteps = 1'000'000;
  options.evaluate = When::Never;
  requested = [&](unsigned rank) -> int {
    if (rank == 1)
      fail(ExitCode::Storage, "rank 1 cannot go on");
    return 0;
  };
  expectFailure(ExitCode::Storage, {"rank 1 cannot go on"},
                [&] { run({.dp = 2}, 64); });
}

TEST(GridEvaluate, IsThatOfOneDevice) {
  Dataset data = examples("dev", 23);
  auto session = tiny::openSession();
  ProgramRunner runner(*session, 0);
  auto one = evaluateDataset(runner, findGlueTask("stsb"), data);
  for (auto [dp, tp] : {std::pair{2u, 1u}, {3u, 1u}, {2u, 2u}, {1u, 2u}})
    tiny::runGrid({.rows = 4, .dp = dp, .tp = tp}, [&](Session &session,
                                                       const Ranks &ranks) {
      ProgramRunner runner(session, 0, ranks);
      auto many = evaluateDataset(runner, findGlueTask("stsb"), data);
      EXPECT_EQ(many.logits, one.logits);
      EXPECT_EQ(many.metrics, one.metrics); // to the bit
      EXPECT_EQ(many.tokens, one.tokens);
    });
}

} // namespace
} // namespace llamarun
