#include "runtime/train/EvaluationReport.h"

#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>
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

// Constant predictions: SciPy warns and says nan, whatever NaN's sign is.
TEST(EvaluationReport, UndefinedCorrelations) {
  Evaluation evaluation;
  evaluation.split = "dev";
  double nan = std::nan("");
  evaluation.metrics = {
      {"pearson", -nan}, {"spearmanr", 0.5}, {"combined_score", nan}};
  JsonLine line;
  addEvaluation(line, evaluation);
  EXPECT_TRUE(nlohmann::json::parse(line.str())["eval_pearson"].is_null());
  TestDirectory directory;
  std::FILE *file = std::fopen((directory / "out").c_str(), "w");
  std::FILE *errors = std::fopen((directory / "errors").c_str(), "w");
  printEvaluation(file, "stsb", evaluation, errors);
  std::fclose(file);
  std::fclose(errors);
  EXPECT_EQ(contents(directory / "out"),
            "stsb dev pearson = nan\nstsb dev spearmanr = 0.5\n"
            "stsb dev combined_score = nan\n");
  EXPECT_EQ(contents(directory / "errors"),
            "llamarun: warning: stsb dev: pearson is undefined, for all "
            "predictions or all labels are the same\n");
}

} // namespace
} // namespace llamarun
