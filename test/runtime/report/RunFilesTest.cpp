#include "runtime/report/RunFiles.h"

#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>

namespace llamarun {
namespace {

constexpr const char *kLines =
    R"({"step": 1, "epoch": 0.1, "loss": 2, "learning_rate": 1e-3, "tokens": 100, "seconds": 0.5, "tokens_per_second": 200}
{"step": 2, "budget": 5, "rank": 6, "ranks": {"q_proj": [3, 2], "score": 1}}
{"step": 2, "epoch": 0.2, "loss": null, "learning_rate": 5e-4, "tokens": 400, "seconds": 1.5, "tokens_per_second": 266}
{"step": 2, "split": "dev", "eval_accuracy": 0.5, "eval_samples": 8, "seconds": 1}
)";

TEST(RunFiles, ReadsMetrics) {
  TestDirectory directory;
  directory.write("lora-8/metrics.jsonl", kLines);
  directory.write("lora-8/run.json", R"({"devices": "cpu"})");
  const llamarun::Run run = readRun(directory / "lora-8");
  EXPECT_EQ(run.name, "lora-8");
  EXPECT_EQ(run.lastStep, 2u);
  auto &loss = *run.training.find("loss");
  ASSERT_EQ(loss.size(), 2u);
  EXPECT_EQ(loss[0].step, 1u);
  EXPECT_EQ(loss[0].value, 2);
  EXPECT_TRUE(std::isnan(loss[1].value));
  // Since the line before: 300 tokens in one second.
  auto &throughput = *run.training.find("throughput");
  ASSERT_EQ(throughput.size(), 2u);
  EXPECT_DOUBLE_EQ(throughput[0].value, 200);
  EXPECT_DOUBLE_EQ(throughput[1].value, 300);
  EXPECT_EQ((*run.training.find("rank"))[0].value, 6);
  EXPECT_EQ((*run.training.find("rank/q_proj"))[0].value, 5);
  EXPECT_EQ(run.ranksStep, 2u);
  EXPECT_EQ((*run.evaluation.find("dev accuracy"))[0].value, 0.5);
  EXPECT_FALSE(run.evaluation.find("dev samples"));
  EXPECT_EQ(run.record.at("devices"), "cpu");
  EXPECT_TRUE(run.end.is_null());
}

TEST(RunFiles, TakesTheFileAndARunThatGoesOn) {
  TestDirectory directory;
  auto file = directory.write("x/metrics.jsonl",
                              std::string(kLines) + "{\"step\": 3, \"lo");
  const llamarun::Run run = readRun(file);
  EXPECT_EQ(run.name, "x");
  EXPECT_EQ(run.lastStep, 2u);
  EXPECT_EQ(readRun(directory / "x/").name, "x");
}

TEST(RunFiles, NamesFileAndLineOfWhatIsWrong) {
  TestDirectory directory;
  expectFailure(ExitCode::BadInput, {"none", "no such file"},
                [&] { readRun(directory / "none"); });
  directory.write("empty/metrics.jsonl", "");
  expectFailure(ExitCode::BadInput, {"empty", "no line"},
                [&] { readRun(directory / "empty"); });
  for (const char *line : {"[]", "{\"step\": \"x\"}", "{\"loss\": 1}", "x"}) {
    directory.write("bad/metrics.jsonl", std::string(kLines) + line + "\n");
    expectFailure(ExitCode::BadInput, {"bad/metrics.jsonl:5"},
                  [&] { readRun(directory / "bad"); });
  }
  directory.write("record/metrics.jsonl", kLines);
  directory.write("record/run.json", "[");
  expectFailure(ExitCode::BadInput, {"run.json"},
                [&] { readRun(directory / "record"); });
}

} // namespace
} // namespace llamarun
