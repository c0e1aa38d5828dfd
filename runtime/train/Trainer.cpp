#include "runtime/train/Trainer.h"

#include "runtime/data/Sampler.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/EvaluationReport.h"
#include "runtime/train/MetricsLog.h"
#include "runtime/train/Progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

namespace llamarun {

std::uint64_t totalSteps(const fb::Task &task, std::uint64_t samples,
                         const TrainOptions &options) {
  if (options.maxSteps > 0)
    return static_cast<std::uint64_t>(options.maxSteps);
  double steps = std::ceil(options.epochs *
                           static_cast<double>(stepsPerEpoch(task, samples)));
  if (!(steps >= 1 && steps < 0x1p53))
    fail(ExitCode::Usage, options.epochs, " epochs make no number of steps");
  return static_cast<std::uint64_t>(steps);
}

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Trainer {
public:
  Trainer(Session &session, ProgramRunner &runner, const GlueTaskInfo *task,
          const Dataset &training, const std::vector<Dataset> &evaluation,
          const TrainOptions &options)
      : session(session), runner(runner), task(task), training(training),
        evaluation(evaluation), options(options), plan(session.plan()),
        hyper(options.hyper),
        perEpoch(stepsPerEpoch(plan.task(), training.size())),
        state{.totalSteps = totalSteps(plan.task(), training.size(), options)},
        log(makeLog(options.outputDir)),
        progress(options.progress, options.out) {
    hyper.totalSteps = static_cast<std::int64_t>(state.totalSteps);
    hyper.warmupSteps =
        options.warmupSteps > 0
            ? options.warmupSteps
            : static_cast<std::int64_t>(std::ceil(
                  options.warmupRatio * static_cast<double>(state.totalSteps)));
  }

  TrainOutcome run();

private:
  static MetricsLog makeLog(const std::filesystem::path &directory) {
    makeDirectories(directory);
    return MetricsLog(directory / "metrics.jsonl");
  }

  std::vector<StepPlan> epochSteps(std::uint64_t epoch) const {
    return planEpoch(plan, training,
                     options.shuffle ? shuffledOrder(training.size(),
                                                     options.dataSeed, epoch)
                                     : sequentialOrder(training.size()));
  }
  void checkBatches() const;
  void startStep(const StepPlan &step);
  void finishStep();
  void logStep(const StepResult &result);
  void evaluate();
  void save();
  void finish(int signal);
  bool isDue(When when, std::int64_t every, std::uint64_t step) const;

  Session &session;
  ProgramRunner &runner;
  const GlueTaskInfo *task;
  const Dataset &training;
  const std::vector<Dataset> &evaluation;
  const TrainOptions &options;
  const Plan &plan;
  Hyper hyper;
  std::uint64_t perEpoch;
  ProgressState state;
  MetricsLog log;
  Progress progress;
  Clock::time_point start = Clock::now();
  double trainSeconds = 0;
  // Since the last logged step; over the whole run.
  double lossSum = 0, allLossSum = 0;
  std::uint64_t lossCount = 0;
  std::uint64_t savedAt = 0;
  /// Put in and not yet looked at, oldest first. state.step counts those that
  /// were looked at, `started` all.
  std::deque<PendingStep> pending;
  std::uint64_t started = 0;
};

/// Finds a batch that does not fit before the first step is taken. Batches are
/// drawn without running anything, and only if the longest sequences together
/// would be too long.
void Trainer::checkBatches() const {
  std::vector<std::uint64_t> lengths;
  for (auto &ids : training.sequences)
    lengths.push_back(ids.size());
  std::ranges::sort(lengths, std::greater());
  lengths.resize(
      std::min<std::size_t>(lengths.size(), std::max(1u, plan.task().batch())));
  std::uint64_t worst = 0;
  for (auto length : lengths)
    worst += length;
  if (plan.find(fb::ProgramKind::Train, worst, lengths.size()))
    return;
  std::uint64_t epochs = (state.totalSteps + perEpoch - 1) / perEpoch;
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch)
    epochSteps(epoch);
}

void Trainer::logStep(const StepResult &result) {
  double loss = lossSum / static_cast<double>(lossCount);
  lossSum = 0;
  lossCount = 0;
  JsonLine line;
  line.add("step", state.step)
      .add("epoch", state.epoch)
      .add("loss", static_cast<float>(loss))
      .add("grad_norm", result.gradNorm)
      .add("learning_rate", result.learningRate)
      .add("tokens", state.tokens)
      .add("seconds", trainSeconds);
  if (trainSeconds > 0)
    line.add("tokens_per_second",
             static_cast<double>(state.tokens) / trainSeconds);
  log.write(line);
  ProgressState shown = state;
  shown.loss = loss;
  progress.log(shown);
}

void Trainer::startStep(const StepPlan &step) {
  auto begin = Clock::now();
  ++started;
  try {
    pending.push_back(runner.start(training, step, hyper));
  } catch (const Error &error) {
    progress.clear();
    fail(error.code(), "step ", started, ": ", error.what());
  }
  trainSeconds += std::chrono::duration<double>(Clock::now() - begin).count();
}

void Trainer::finishStep() {
  auto begin = Clock::now();
  ++state.step;
  state.epoch = static_cast<double>(state.step) / static_cast<double>(perEpoch);
  StepResult result;
  try {
    result = runner.finish(pending.front());
  } catch (const Error &error) {
    progress.clear();
    std::string kept =
        error.code() == ExitCode::Numerics && savedAt
            ? "; the adapter of step " + std::to_string(savedAt) + " is kept"
            : "";
    fail(error.code(), "step ", state.step, ": ", error.what(), kept);
  }
  pending.pop_front();
  trainSeconds += std::chrono::duration<double>(Clock::now() - begin).count();
  state.tokens += result.tokens;
  state.gradNorm = result.gradNorm;
  state.learningRate = result.learningRate;
  // A smoothed loss for the eye; files have the mean since the last line.
  state.loss =
      state.step == 1 ? result.loss : 0.95 * state.loss + 0.05 * result.loss;
  lossSum += result.loss;
  allLossSum += result.loss;
  ++lossCount;
  progress.update(state);
  if (state.step == 1 || state.step == state.totalSteps ||
      state.step % static_cast<std::uint64_t>(options.loggingSteps) == 0)
    logStep(result);
}

void Trainer::evaluate() {
  progress.clear();
  auto name = viewOf(plan.task().name());
  for (auto &data : evaluation) {
    Evaluation result = evaluateDataset(runner, task, data);
    printEvaluation(options.out, name, result);
    JsonLine line;
    line.add("step", state.step).add("epoch", state.epoch);
    addEvaluation(line, result);
    log.write(line);
  }
}

void Trainer::save() {
  if (savedAt == state.step)
    return;
  saveAdapter(session, options.outputDir, options.baseModel);
  savedAt = state.step;
}

bool Trainer::isDue(When when, std::int64_t every, std::uint64_t step) const {
  return (when == When::Steps &&
          step % static_cast<std::uint64_t>(every) == 0) ||
         (when == When::Epoch && step % perEpoch == 0) ||
         // The last state is always evaluated, unless nothing is.
         (when != When::Never && step == state.totalSteps);
}

void Trainer::finish(int signal) {
  JsonLine line;
  line.add("step", state.step)
      .add("epoch", state.epoch)
      .add("train_loss",
           static_cast<float>(allLossSum / static_cast<double>(state.step)))
      .add("tokens", state.tokens);
  if (signal)
    line.add("signal", static_cast<std::uint64_t>(signal));
  line.add("seconds", secondsSince(start));
  log.write(line);
}

TrainOutcome Trainer::run() {
  checkBatches();
  // Where the device works by itself, it has the next step before the host
  // looks at the results of this one.
  std::size_t ahead =
      session.device().isAsynchronous() && !session.debugSync() ? 1 : 0;
  int signal = 0;
  for (std::uint64_t epoch = 0; started < state.totalSteps && !signal;
       ++epoch) {
    for (auto &step : epochSteps(epoch)) {
      startStep(step);
      signal = options.stopRequested();
      bool last = signal || started == state.totalSteps;
      bool saves = last || isDue(options.save, options.saveSteps, started);
      bool evaluates =
          !signal && isDue(options.evaluate, options.evalSteps, started);
      while (pending.size() > (saves || evaluates ? 0 : ahead))
        finishStep();
      if (saves)
        save();
      if (evaluates)
        evaluate();
      if (last)
        break;
    }
  }
  progress.clear();
  finish(signal);
  return {state.step, state.loss, signal};
}

} // namespace

TrainOutcome train(Session &session, ProgramRunner &runner,
                   const GlueTaskInfo *task, const Dataset &training,
                   const std::vector<Dataset> &evaluation,
                   const TrainOptions &options) {
  if (options.loggingSteps < 1 || options.evalSteps < 1 ||
      options.saveSteps < 1)
    fail(ExitCode::Usage, "steps between logging, evaluation and saving must "
                          "be at least 1");
  return Trainer(session, runner, task, training, evaluation, options).run();
}

} // namespace llamarun
