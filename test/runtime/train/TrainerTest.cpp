#include "runtime/train/Trainer.h"

#include "runtime/io/PeftAdapter.h"
#include "runtime/train/Initialize.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <algorithm>
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
  for (std::size_t i = 0; i < count; ++i) {
    data.sequences.emplace_back(1 + i % 5, static_cast<std::int32_t>(i));
    data.labels.push_back(static_cast<float>(i % 4));
  }
  return data;
}

class TrainerTest : public ::testing::Test {
protected:
  TrainerTest() : sink(std::fopen((directory / "out").c_str(), "w")) {
    options.outputDir = directory / "run";
    options.baseModel = "base";
    options.out = options.progress = sink;
  }
  ~TrainerTest() override { std::fclose(sink); }

  TrainOutcome run(const tiny::Options &planOptions = {},
                   std::size_t samples = 10) {
    auto session = lazy ? tiny::openLazySession(planOptions)
                        : tiny::openSession(planOptions);
    initializeTensors(*session, 42);
    ProgramRunner runner(*session, 42);
    std::vector<Dataset> evaluation{examples("dev", 6)};
    return train(*session, runner, findGlueTask("stsb"),
                 examples("train", samples), evaluation, options);
  }

  std::vector<json> lines() const {
    std::vector<json> parsed;
    std::istringstream text(contents(options.outputDir / "metrics.jsonl"));
    for (std::string line; std::getline(text, line);)
      parsed.push_back(json::parse(line));
    return parsed;
  }

  /// metrics.jsonl without what the clock wrote.
  std::string withoutClock() const {
    std::string text;
    for (json line : lines()) {
      for (auto it = line.begin(); it != line.end();)
        it = it.key() == "seconds" || it.key().ends_with("_per_second")
                 ? line.erase(it)
                 : std::next(it);
      text += line.dump() + "\n";
    }
    return text;
  }

  TestDirectory directory;
  bool lazy = false; ///< on a device that works as late as it may
  std::FILE *sink;
  TrainOptions options;
};

TEST_F(TrainerTest, StepsOfARun) {
  auto plan = tiny::makePlan({.batch = 4, .accumulation = 2});
  TrainOptions o;
  EXPECT_EQ(totalSteps(*plan, 17, o), 9u); // ceil(ceil(17/4)/2) * 3
  o.epochs = 0.5;
  EXPECT_EQ(totalSteps(*plan, 17, o), 2u);
  o.maxSteps = 100;
  EXPECT_EQ(totalSteps(*plan, 17, o), 100u);
}

TEST_F(TrainerTest, LogsEvaluatesAndSaves) {
  options.loggingSteps = 2;
  TrainOutcome outcome = run(); // 3 epochs of 3 steps
  EXPECT_EQ(outcome.steps, 9u);
  EXPECT_EQ(outcome.signal, 0);
  auto all = lines();
  std::vector<int> logged, evaluated;
  for (auto &line : all) {
    if (line.contains("loss"))
      logged.push_back(line["step"]);
    if (line.contains("eval_pearson"))
      evaluated.push_back(line["step"]);
  }
  EXPECT_EQ(logged, (std::vector{1, 2, 4, 6, 8, 9}));
  EXPECT_EQ(evaluated, (std::vector{3, 6, 9}));
  // Steps have 4, 4 and 2 examples: losses 1/4, 1/4, 1/2 (TinyPlan), and a
  // line has the mean of the steps since the one before.
  EXPECT_EQ(all[0]["loss"], 0.25);
  EXPECT_EQ(all[0]["grad_norm"], 0.25);
  EXPECT_EQ(all[0]["learning_rate"], 0.25);
  for (auto &line : all)
    if (line.contains("loss") && line["step"] == 4) {
      EXPECT_EQ(line["loss"], 0.375);
    }
  EXPECT_EQ(all.back()["step"], 9);
  EXPECT_FLOAT_EQ(all.back()["train_loss"], 1.f / 3);
  EXPECT_EQ(all.back()["epoch"], 3);
  auto adapter = readPeftAdapter(options.outputDir);
  EXPECT_EQ(adapter.tensors.at(tiny::kLoraB).data, std::vector<float>(8, 0.5f));
  EXPECT_EQ(adapter.config.baseModel, "base");
  EXPECT_NE(contents(directory / "out").find("stsb dev pearson = 1\n"),
            std::string::npos);
}

TEST_F(TrainerTest, TwoRunsAreTheSameButForTheClock) {
  options.loggingSteps = 1;
  run();
  std::string metrics = withoutClock();
  std::string adapter = contents(options.outputDir / kAdapterWeightsFile);
  EXPECT_FALSE(adapter.empty());
  run();
  EXPECT_EQ(withoutClock(), metrics);
  EXPECT_EQ(contents(options.outputDir / kAdapterWeightsFile), adapter);
}

TEST_F(TrainerTest, RunningAheadChangesNothing) {
  options.loggingSteps = 1;
  for (auto when : {When::Never, When::Epoch, When::Steps}) {
    options.save = options.evaluate = when;
    options.saveSteps = 2;
    options.evalSteps = 5;
    lazy = false;
    run({.accumulation = 2}, 30);
    std::string metrics = withoutClock();
    std::string adapter = contents(options.outputDir / kAdapterWeightsFile);
    std::string printed = contents(directory / "out");
    lazy = true;
    EXPECT_EQ(run({.accumulation = 2}, 30).steps, 12u);
    EXPECT_EQ(withoutClock(), metrics);
    EXPECT_EQ(contents(options.outputDir / kAdapterWeightsFile), adapter);
  }
}

TEST_F(TrainerTest, ASignalEndsItWithEveryStepLookedAt) {
  lazy = true;
  int asked = 0;
  options.stopRequested = [&] { return ++asked == 4 ? SIGTERM : 0; };
  TrainOutcome outcome = run();
  EXPECT_EQ(outcome.steps, 4u);
  EXPECT_EQ(lines().back()["step"], 4);
}

TEST_F(TrainerTest, TheDataSeedChangesTheOrder) {
  // Token counts by step depend on which examples come first.
  options.loggingSteps = 1;
  options.evaluate = When::Never;
  run({}, 40);
  std::string metrics = withoutClock();
  options.dataSeed = 43;
  run({}, 40);
  EXPECT_NE(withoutClock(), metrics);
  options.shuffle = false;
  run({}, 40);
  std::string inOrder = withoutClock();
  options.dataSeed = 42;
  run({}, 40);
  EXPECT_EQ(withoutClock(), inOrder);
  EXPECT_EQ(lines()[0]["tokens"], 1 + 2 + 3 + 4);
}

TEST_F(TrainerTest, ASignalEndsItAfterTheStepAndSaves) {
  int asked = 0;
  options.stopRequested = [&] { return ++asked == 2 ? SIGTERM : 0; };
  TrainOutcome outcome = run();
  EXPECT_EQ(outcome.signal, SIGTERM);
  EXPECT_EQ(outcome.steps, 2u);
  EXPECT_EQ(lines().back()["signal"], SIGTERM);
  EXPECT_EQ(readPeftAdapter(options.outputDir).tensors.size(), 3u);
}

TEST_F(TrainerTest, AResumedRunTakesTheStepsThatAreLeft) {
  options.loggingSteps = 1;
  options.evaluate = When::Never;
  run({}, 18); // 3 epochs of 5 steps, the last of two examples
  auto all = lines();
  ASSERT_EQ(all.size(), 16u);
  options.firstStep = 7; // in the second epoch
  TrainOutcome outcome = run({}, 18);
  EXPECT_EQ(outcome.steps, 15u);
  auto rest = lines();
  ASSERT_EQ(rest.size(), 9u);
  // The same steps on the same examples: their tokens tell.
  std::uint64_t before = all[6]["tokens"];
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(rest[i]["step"], 8 + i);
    EXPECT_EQ(rest[i]["loss"], all[7 + i]["loss"]);
    EXPECT_EQ(rest[i]["epoch"], all[7 + i]["epoch"]);
    EXPECT_EQ(rest[i]["tokens"].get<std::uint64_t>() + before,
              all[7 + i]["tokens"].get<std::uint64_t>());
  }
  // Losses are 1/4, but 1/2 in the 10th and 15th step.
  EXPECT_FLOAT_EQ(rest.back()["train_loss"], (6 * 0.25f + 2 * 0.5f) / 8);
  options.firstStep = 15;
  expectFailure(ExitCode::Usage, {"has done 15 of 15 steps"},
                [&] { run({}, 18); });
}

TEST_F(TrainerTest, NamesTheStepThatIsNotFinite) {
  expectFailure(ExitCode::Numerics, {"step 1", "loss is inf"},
                [&] { run({.trainLoss = 1e39}); });
  EXPECT_FALSE(
      std::filesystem::exists(options.outputDir / kAdapterWeightsFile));
  // One step ahead it is still the first that is named, and nothing is saved.
  lazy = true;
  expectFailure(ExitCode::Numerics, {"step 1", "loss is inf"},
                [&] { run({.trainLoss = 1e39}); });
  EXPECT_FALSE(
      std::filesystem::exists(options.outputDir / kAdapterWeightsFile));
}

TEST_F(TrainerTest, RefusesBatchesThatDoNotFitBeforeTheFirstStep) {
  expectFailure(ExitCode::BadInput, {"largest bucket holds 8"},
                [&] { run({.buckets = {8}}); });
  EXPECT_TRUE(lines().empty());
}

TEST_F(TrainerTest, RefusesAnOutputThatIsNoDirectory) {
  directory.write("run", "a file");
  expectFailure(ExitCode::Storage, {(directory / "run").string()},
                [&] { run(); });
}

} // namespace
} // namespace llamarun
