#include "runtime/train/EvaluationReport.h"

#include "test/runtime/train/TrainTestFiles.h"

#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

TEST(EvaluationReport, Lines) {
  Evaluation evaluation;
  evaluation.split = "dev";
  evaluation.metrics = {{"loss", 0.5}, {"accuracy", 2.0 / 3}};
  evaluation.samples = 3;
  evaluation.seconds = 2;
  JsonLine line;
  addEvaluation(line, evaluation);
  auto json = nlohmann::json::parse(line.str());
  EXPECT_EQ(json["split"], "dev");
  EXPECT_EQ(json["eval_accuracy"], 2.0 / 3);
  EXPECT_EQ(json["eval_samples"], 3);
  EXPECT_EQ(json["samples_per_second"], 1.5);
  TestDirectory directory;
  std::FILE *file = std::fopen((directory / "out").c_str(), "w");
  printEvaluation(file, "sst2", evaluation);
  std::fclose(file);
  EXPECT_EQ(contents(directory / "out"),
            "sst2 dev loss = 0.5\nsst2 dev accuracy = 0.666667\n");
}

} // namespace
} // namespace llamarun
