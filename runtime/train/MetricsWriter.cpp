#include "runtime/train/MetricsWriter.h"

#include "runtime/io/RankGrid.h"
#include "runtime/train/EvaluationReport.h"

namespace llamarun {

static JsonLine lineOf(const RunMoment &moment) {
  JsonLine line;
  line.add("step", moment.step).add("epoch", moment.epoch);
  return line;
}

void LineObserver::onLog(const LoggedStep &step) {
  JsonLine line = lineOf(step);
  line.add("loss", static_cast<float>(step.loss));
  if (step.taskLoss)
    line.add("task_loss", static_cast<float>(*step.taskLoss));
  if (step.budget)
    line.add("budget", *step.budget);
  line.add("grad_norm", step.gradNorm)
      .add("learning_rate", step.learningRate)
      .add("tokens", step.tokens)
      .add("seconds", step.seconds);
  if (step.seconds > 0)
    line.add("tokens_per_second",
             static_cast<double>(step.tokens) / step.seconds);
  write(line);
}

void LineObserver::onAllocate(const AllocatedRanks &allocated) {
  RankGrid grid = RankGrid::of(allocated.ranks);
  JsonLine line;
  line.add("step", allocated.step)
      .add("budget", allocated.budget)
      .add("rank", grid.total())
      .addRaw("ranks", grid.json());
  write(line);
}

void LineObserver::onEvaluate(const RunMoment &moment,
                              const Evaluation &result) {
  JsonLine line = lineOf(moment);
  addEvaluation(line, result);
  write(line);
}

void LineObserver::onEnd(const RunEnd &end) {
  JsonLine line = lineOf(end);
  line.add("train_loss", end.loss).add("tokens", end.tokens);
  if (end.signal)
    line.add("signal", static_cast<std::uint64_t>(end.signal));
  line.add("seconds", end.seconds);
  write(line);
}

} // namespace llamarun
