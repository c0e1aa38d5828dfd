#include "runtime/train/RunSettings.h"

#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <functional>

namespace llamarun {
namespace {

Dataset examples(std::size_t count) {
  Dataset data;
  data.name = "train";
  for (std::size_t i = 0; i < count; ++i) {
    data.sequences.push_back({1, static_cast<std::int32_t>(i)});
    data.labels.push_back(1);
  }
  return data;
}

class RunSettingsTest : public ::testing::Test {
protected:
  RunSettings of(const tiny::Options &plan = {}) const {
    return settingsOf(*tiny::makePlan(plan), options, data);
  }
  TrainOptions options;
  Dataset data = examples(20);
};

TEST_F(RunSettingsTest, EverythingThatStepsDependOnIsNamed) {
  RunSettings theirs = of();
  EXPECT_EQ(requireSameSettings("c", theirs, of()), "");
  struct Case {
    const char *name;
    std::function<void(TrainOptions &, Dataset &)> change;
  };
  for (auto &[name, change] : std::vector<Case>{
           {"--learning-rate",
            [](auto &o, auto &) { o.hyper.learningRate = 1e-3; }},
           {"--warmup-steps", [](auto &o, auto &) { o.warmupSteps = 1; }},
           {"--warmup-ratio", [](auto &o, auto &) { o.warmupRatio = 0.1; }},
           {"--weight-decay",
            [](auto &o, auto &) { o.hyper.weightDecay = 0.1; }},
           {"--adam-beta1", [](auto &o, auto &) { o.hyper.beta1 = 0.8; }},
           {"--adam-beta2", [](auto &o, auto &) { o.hyper.beta2 = 0.9; }},
           {"--adam-epsilon", [](auto &o, auto &) { o.hyper.epsilon = 1e-6; }},
           {"--max-grad-norm",
            [](auto &o, auto &) { o.hyper.maxGradNorm = 2; }},
           {"--no-shuffle", [](auto &o, auto &) { o.shuffle = false; }},
           {"examples of a step",
            [](auto &o, auto &) { o.dealing = Dealing{{3}}; }},
           {"--data", [](auto &, auto &d) { d.sequences[3][1] = 7; }},
           {"--data", [](auto &, auto &d) { d.labels[3] = 0; }},
           // A token from one example to the next.
           {"--data",
            [](auto &, auto &d) {
              d.sequences[0] = {1};
              d.sequences[1] = {0, 1, 1};
            }},
       }) {
    SCOPED_TRACE(name);
    TrainOptions changed = options;
    Dataset others = data;
    change(changed, others);
    auto ours = settingsOf(*tiny::makePlan(), changed, others);
    expectFailure(ExitCode::Usage, {"runs/c: ", name, "--init-from runs/c"},
                  [&] { requireSameSettings("runs/c", theirs, ours); });
  }
}

TEST_F(RunSettingsTest, LayoutAndLengthMayDiffer) {
  RunSettings theirs = of({.batch = 4, .accumulation = 2});
  // Eight examples a step, dealt otherwise.
  EXPECT_EQ(requireSameSettings("c", theirs, of({.batch = 4, .dp = 2})), "");
  options.loggingSteps = 7;
  options.save = When::Never;
  options.outputDir = "elsewhere";
  EXPECT_EQ(requireSameSettings("c", theirs, of({.batch = 8})), "");
  options.maxSteps = 1000;
  std::string warning = requireSameSettings("c", theirs, of({.batch = 8}));
  EXPECT_NE(warning.find("c: is of a run of 9 steps, not 1000"),
            std::string::npos)
      << warning;
  EXPECT_EQ(requireSameSettings("c", {}, of()), "");
}

TEST_F(RunSettingsTest, TheAdaptersScheduleIsPartOfIt) {
  RunSettings settings = of({.adalora = true});
  EXPECT_EQ(settings.at("--adapter's target_r"), "1");
  EXPECT_EQ(settings.at("--adapter's tinit"), "1");
  EXPECT_EQ(settings.count("--adapter's total_step"), 0u);
  settings["--adapter's tfinal"] = std::to_string(5);
  expectFailure(ExitCode::Usage, {"--adapter's tfinal 5, not 2"}, [&] {
    requireSameSettings("c", settings, of({.adalora = true}));
  });
}

} // namespace
} // namespace llamarun
