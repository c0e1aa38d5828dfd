#include "runtime/train/MetricsWriter.h"

#include "test/runtime/train/TrainTestFiles.h"

namespace llamarun {
namespace {

class MetricsWriterTest : public ::testing::Test {
protected:
  std::string text() const { return contents(directory / "m"); }
  TestDirectory directory;
  MetricsWriter writer{directory / "m", "", {}};
};

TEST_F(MetricsWriterTest, AStep) {
  LoggedStep step{{7, 0.5}};
  step.loss = 0.1;
  step.gradNorm = 2;
  step.learningRate = 5e-5f;
  step.tokens = 30;
  writer.onLog(step);
  step.seconds = 4;
  step.taskLoss = 0.25;
  step.budget = 12;
  writer.onLog(step);
  EXPECT_EQ(text(),
            R"({"step": 7, "epoch": 0.5, "loss": 0.1, "grad_norm": 2, )"
            R"("learning_rate": 5e-05, "tokens": 30, "seconds": 0})"
            "\n"
            R"({"step": 7, "epoch": 0.5, "loss": 0.1, "task_loss": 0.25, )"
            R"("budget": 12, "grad_norm": 2, "learning_rate": 5e-05, )"
            R"("tokens": 30, "seconds": 4, "tokens_per_second": 7.5})"
            "\n");
  EXPECT_EQ(writer.bytes(), text().size());
}

TEST_F(MetricsWriterTest, AnAllocation) {
  writer.onAllocate({{3, 1}, 5, {{"model.layers.0.mlp.up_proj", 5}}});
  std::string line = text();
  EXPECT_EQ(line.find(R"({"step": 3, "budget": 5, "rank": 5, "ranks": {)"), 0u)
      << line;
  EXPECT_NE(line.find("up_proj"), std::string::npos);
}

TEST_F(MetricsWriterTest, AnEvaluation) {
  Evaluation result;
  result.split = "dev";
  result.metrics = {{"loss", 0.5}, {"accuracy", 1}};
  result.samples = 4;
  writer.onEvaluate({8, 2}, result);
  EXPECT_EQ(text(), R"({"step": 8, "epoch": 2, "split": "dev", )"
                    R"("eval_loss": 0.5, "eval_accuracy": 1, )"
                    R"("eval_samples": 4, "seconds": 0})"
                    "\n");
}

TEST_F(MetricsWriterTest, TheEnd) {
  writer.onEnd({{9, 3}, 0.75f, 100, 0, 2});
  writer.onEnd({{9, 3}, 0.75f, 100, 15, 2});
  EXPECT_EQ(text(), R"({"step": 9, "epoch": 3, "train_loss": 0.75, )"
                    R"("tokens": 100, "seconds": 2})"
                    "\n"
                    R"({"step": 9, "epoch": 3, "train_loss": 0.75, )"
                    R"("tokens": 100, "signal": 15, "seconds": 2})"
                    "\n");
}

} // namespace
} // namespace llamarun
