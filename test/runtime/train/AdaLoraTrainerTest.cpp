// The training loop with AdaLoRA's schedule: what reaches the device, what is
// logged, evaluated and saved. TinyPlan keeps what its state says is kept.
#include "runtime/io/PeftAdapter.h"
#include "runtime/train/AdaLoraState.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Trainer.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <gtest/gtest.h>
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

class AdaLoraTrainer : public ::testing::Test {
protected:
  AdaLoraTrainer() : sink(std::fopen((directory / "out").c_str(), "w")) {
    options.outputDir = directory / "run";
    options.out = options.progress = sink;
    options.loggingSteps = 2;
  }
  ~AdaLoraTrainer() override { std::fclose(sink); }

  /// 3 epochs of 3 steps, but for options.
  void run(Session &session, const Ranks &ranks = {}) {
    ProgramRunner runner(session, 42, ranks);
    std::vector<Dataset> evaluation{examples("dev", 6)};
    train(session, runner, findGlueTask("stsb"),
          examples("train", 10 * ranks.dataRanks()), evaluation, options);
  }

  std::vector<json> lines(const char *with) const {
    std::vector<json> parsed;
    std::istringstream text(contents(options.outputDir / "metrics.jsonl"));
    for (std::string line; std::getline(text, line);)
      if (json read = json::parse(line); read.contains(with))
        parsed.push_back(std::move(read));
    return parsed;
  }

  TestDirectory directory;
  std::FILE *sink;
  TrainOptions options;
  // tinit 1, tfinal 2, deltaT 2: of 9 steps 2, 4, 6 allocate, 7 is T1.
  tiny::Options plan{.trainLoss = 3, .adalora = true};
};

void expectAllocations(const std::vector<json> &ranks) {
  std::vector<int> steps;
  for (auto &line : ranks) {
    steps.push_back(line["step"]);
    EXPECT_EQ(line["rank"], 1);
    EXPECT_EQ(line["ranks"], json({{"q_proj", {1}}}));
    EXPECT_EQ(line["budget"], 1) << "int of what is left of 2 to 1";
  }
  EXPECT_EQ(steps, (std::vector{3, 5, 7, 8})); // steps done
}

TEST_F(AdaLoraTrainer, LogsEvaluatesAndSaves) {
  auto session = tiny::openSession(plan);
  initializeTensors(*session, 42);
  writeKept(*session, std::vector<float>{0, 1});
  run(*session);
  expectAllocations(lines("ranks"));
  for (auto &line : lines("grad_norm")) {
    EXPECT_EQ(line["loss"], 3);
    EXPECT_EQ(line["budget"], line["step"] <= 2 ? 2 : 1) << line;
    EXPECT_LE(line["task_loss"], 0.5); // 1 / labels
  }
  EXPECT_EQ(lines("grad_norm")[0]["task_loss"], 0.25);
  for (auto &line : lines("eval_loss"))
    EXPECT_FLOAT_EQ(line["eval_loss"],
                    line["eval_task_loss"].get<float>() + 0.125f);
  EXPECT_EQ(lines("eval_loss").size(), 3u);
  EXPECT_NE(contents(directory / "out").find("  budget 1  "),
            std::string::npos);
  // The last step's input: KeepMask. An evaluation took nothing away.
  auto *program = session->find(fb::ProgramKind::Train, 16, 4);
  EXPECT_EQ(tiny::input<std::int64_t>(*session, *program, "adalora"),
            (std::vector<std::int64_t>{Allocation::KeepMask, 0}));
  EXPECT_EQ(nonZeroTriplets(*session), (std::vector<float>{1, 1}));
  auto saved = readPeftAdapter(options.outputDir);
  EXPECT_EQ(saved.config.adalora.totalStep, 9);
  EXPECT_EQ(saved.tensors.at(tiny::kAdaLoraE).data, std::vector<float>{0.5});
}

TEST_F(AdaLoraTrainer, InputOfAnAllocation) {
  for (auto [steps, mode, k] :
       {std::tuple(2, Allocation::Score, 0), {5, Allocation::ScoreMask, 1}}) {
    options.maxSteps = steps;
    options.evaluate = When::Never;
    auto session = tiny::openSession(plan);
    if (steps == 2) { // nothing is left between tinit and tfinal
      expectFailure(ExitCode::Usage, {"tinit 1", "of 2"},
                    [&] { run(*session); });
      continue;
    }
    // Step 4 of 5 is past T1 = 3, which is ForcedMask; stop before by a signal.
    options.stopRequested = [n = 0]() mutable { return ++n == 3 ? 15 : 0; };
    initializeTensors(*session, 42);
    run(*session);
    auto *program = session->find(fb::ProgramKind::Train, 16, 4);
    EXPECT_EQ(tiny::input<std::int64_t>(*session, *program, "adalora"),
              (std::vector<std::int64_t>{mode, k}));
  }
}

TEST_F(AdaLoraTrainer, RunningAheadGivesEachStepItsMask) {
  auto session = tiny::openLazySession(plan);
  initializeTensors(*session, 42);
  writeKept(*session, std::vector<float>{1, 0});
  run(*session);
  expectAllocations(lines("ranks"));
}

TEST_F(AdaLoraTrainer, RanksThatAgreeTrain) {
  plan.dp = 2;
  plan.tp = 2;
  plan.rows = 4;
  tiny::runGrid(plan, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    writeKept(session, std::vector<float>{0, 1});
    run(session, ranks);
  });
  expectAllocations(lines("ranks"));
}

TEST_F(AdaLoraTrainer, ARankThatMasksOtherTripletsEndsTheJob) {
  plan.dp = 4;
  expectFailure(
      ExitCode::Numerics, {"step 3:", "on rank 2 than", "3 of 4"}, [&] {
        tiny::runGrid(plan, [&](Session &session, const Ranks &ranks) {
          initializeTensors(session, 42, ranks);
          bool other = ranks.rank() == 2;
          writeKept(session,
                    std::vector<float>{other ? 1.f : 0.f, other ? 0.f : 1.f});
          run(session, ranks);
        });
      });
  EXPECT_FALSE(
      std::filesystem::exists(options.outputDir / kAdapterWeightsFile));
}

} // namespace
} // namespace llamarun
