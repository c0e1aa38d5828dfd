#include "runtime/train/Trainer.h"

#include "runtime/data/Sampler.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdaLoraState.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/EvaluationReport.h"
#include "runtime/train/LossSums.h"
#include "runtime/train/MaskAgreement.h"
#include "runtime/train/MetricsWriter.h"
#include "runtime/train/Progress.h"
#include "runtime/train/StopAgreement.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <optional>

namespace llamarun {

static Dealing dealingOf(const Plan &plan, const TrainOptions &options) {
  return options.dealing ? *options.dealing : defaultDealing(plan);
}

std::uint64_t totalSteps(const Plan &plan, std::uint64_t samples,
                         const TrainOptions &options) {
  if (options.maxSteps > 0)
    return static_cast<std::uint64_t>(options.maxSteps);
  double steps = std::ceil(
      options.epochs * static_cast<double>(stepsPerEpoch(
                           plan.task(), dealingOf(plan, options), samples)));
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
        ranks(runner.ranks()), dealing(dealingOf(plan, options)),
        hyper(options.hyper),
        perEpoch(stepsPerEpoch(plan.task(), dealing, training.size())),
        state{.totalSteps = totalSteps(plan, training.size(), options)},
        progress(ranks.first() ? options.progress : nullptr,
                 ranks.first() ? options.out : nullptr),
        schedule(budgetSchedule(plan, state.totalSteps)),
        losses(ranks, plan.task().accumulation() > 1),
        agreement(ranks, options.stopRequested, rider()) {
    if (ranks.first()) {
      makeDirectories(options.outputDir);
      log.emplace(options.outputDir / kMetricsFile, options.metricsSoFar,
                  options.warn);
      observers = options.observers;
      observers.insert(observers.begin(), &*log);
    }
    if (options.sums) {
      losses.restore(*options.sums);
      state.tokens = options.sums->tokens;
      trainSeconds = options.sums->trainSeconds;
    }
    hyper.totalSteps = static_cast<std::int64_t>(state.totalSteps);
    hyper.warmupSteps =
        options.warmupSteps > 0
            ? options.warmupSteps
            : static_cast<std::int64_t>(std::ceil(
                  options.warmupRatio * static_cast<double>(state.totalSteps)));
  }

  TrainOutcome run();

private:
  std::vector<StepPlan> epochSteps(std::uint64_t epoch) const {
    return planEpoch(plan, training,
                     options.shuffle ? shuffledOrder(training.size(),
                                                     options.dataSeed, epoch)
                                     : sequentialOrder(training.size()),
                     dealing);
  }
  void checkBatches() const;
  void startStep(const StepPlan &step);
  void finishStep();
  void collectShares();
  double secondsOfRun() const;
  RunningSums sums(bool evaluated) const;
  StopAgreement::Rider rider();
  void compareMasks();
  void logAllocation(const Allocation &allocation,
                     const std::vector<float> &kept);
  void logStep(const StepResult &result);
  RunMoment now() const { return {state.step, state.epoch}; }
  void evaluate();
  void evaluateAll();
  void save(bool evaluated);
  void saveToOutput();
  void takeUp();
  void finish(int signal);
  bool isDue(When when, std::int64_t every, std::uint64_t step) const;

  Session &session;
  ProgramRunner &runner;
  const GlueTaskInfo *task;
  const Dataset &training;
  const std::vector<Dataset> &evaluation;
  const TrainOptions &options;
  const Plan &plan;
  const Ranks &ranks;
  Dealing dealing;
  Hyper hyper;
  std::uint64_t perEpoch;
  ProgressState state;
  std::optional<MetricsWriter> log;     ///< rank 0's
  std::vector<RunObserver *> observers; ///< it and others, on rank 0
  Progress progress;
  std::optional<BudgetSchedule> schedule; ///< of AdaLoRA
  MaskAgreement masks;                    ///< those that were not compared yet
  LossSums losses;
  StopAgreement agreement;
  Clock::time_point start = Clock::now();
  double trainSeconds = 0;
  std::uint64_t savedAt = 0;
  bool adapterSaved = false; ///< that of the last step
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
  lengths.resize(std::min<std::size_t>(
      lengths.size(), *std::ranges::max_element(dealing.shares)));
  std::uint64_t worst = 0;
  for (auto length : lengths)
    worst += length;
  if (plan.find(fb::ProgramKind::Train, worst, lengths.size()))
    return;
  std::uint64_t epochs = (state.totalSteps + perEpoch - 1) / perEpoch;
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch)
    epochSteps(epoch);
}

void Trainer::collectShares() {
  if (!losses.exchanges())
    return;
  agreement.settle();
  losses.collect();
}

/// What ranks have to say to each other without waiting for it.
StopAgreement::Rider Trainer::rider() {
  if (ranks.alone())
    return {};
  StopAgreement::Rider ofMasks, ofSaver;
  if (schedule)
    ofMasks = {[this] { return masks.take(); }, MaskAgreement::compare};
  if (Saver *saver = options.saver)
    ofSaver = {[saver] { return saver->take(); },
               [saver](const auto &all) { saver->deliver(all); }};
  return StopAgreement::both(ofMasks, ofSaver);
}

double Trainer::secondsOfRun() const {
  return secondsSince(start) + (options.sums ? options.sums->seconds : 0);
}

RunningSums Trainer::sums(bool evaluated) const {
  RunningSums sums;
  losses.store(sums);
  sums.tokens = state.tokens;
  sums.trainSeconds = trainSeconds;
  sums.seconds = secondsOfRun();
  sums.samples = training.size();
  sums.evaluated = evaluated;
  sums.metricsBytes = log ? log->bytes() : 0;
  return sums;
}

/// Those that no exchange has taken along yet.
void Trainer::compareMasks() {
  if (!schedule || ranks.alone())
    return;
  agreement.settle();
  MaskAgreement::compare(ranks.exchange(masks.take()));
}

void Trainer::logAllocation(const Allocation &allocation,
                            const std::vector<float> &kept) {
  if (!ranks.alone())
    masks.add(state.step, kept);
  if (observers.empty())
    return;
  AllocatedRanks told{now(), static_cast<std::uint64_t>(allocation.budget), {}};
  auto byModule = ranksOf(plan, kept);
  for (std::uint32_t j = 0; j < byModule.size(); ++j)
    told.ranks.emplace_back(viewOf(plan.adapter().modules()->Get(j)),
                            byModule[j]);
  for (RunObserver *observer : observers)
    observer->onAllocate(told);
}

void Trainer::logStep(const StepResult &result) {
  collectShares();
  LoggedStep told{now()};
  told.loss = losses.meanLoss();
  if (!std::isfinite(told.loss))
    fail(ExitCode::Numerics, "step ", state.step, ": loss is ",
         std::abs(told.loss));
  if (result.taskLoss)
    told.taskLoss = losses.meanTaskLoss();
  losses.restart();
  told.budget = state.budget;
  told.gradNorm = result.gradNorm;
  told.learningRate = result.learningRate;
  told.tokens = state.tokens;
  told.seconds = trainSeconds;
  for (RunObserver *observer : observers)
    observer->onLog(told);
  ProgressState shown = state;
  shown.loss = told.loss;
  progress.log(shown);
}

void Trainer::startStep(const StepPlan &step) {
  auto begin = Clock::now();
  ++started;
  ranks.setStep(started);
  try {
    ranks.check();
    pending.push_back(
        runner.start(training, step, hyper,
                     schedule ? schedule->at(started - 1) : Allocation{}));
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
    result = runner.finish(pending.front(), [this] { agreement.settle(); });
  } catch (const Error &error) {
    progress.clear();
    std::string kept = error.code() == ExitCode::Numerics && savedAt
                           ? std::string(options.saver ? "; the checkpoint"
                                                       : "; the adapter") +
                                 " of step " + std::to_string(savedAt) +
                                 " is kept"
                           : "";
    fail(error.code(), "step ", state.step, ": ", error.what(), kept);
  }
  Allocation allocation = pending.front().allocation;
  pending.pop_front();
  trainSeconds += std::chrono::duration<double>(Clock::now() - begin).count();
  state.tokens += result.tokens;
  state.gradNorm = result.gradNorm;
  state.learningRate = result.learningRate;
  // A smoothed loss for the eye; files have the mean since the last line.
  // The eye may take this replica's micro-batches for everybody's.
  double loss = result.loss + result.share * ranks.dataRanks();
  bool first = state.step == options.firstStep + 1;
  state.loss = first ? loss : 0.95 * state.loss + 0.05 * loss;
  losses.add(result);
  if (schedule)
    state.budget = static_cast<std::uint64_t>(allocation.budget);
  if (allocation.allocates())
    logAllocation(allocation, result.kept);
  progress.update(state);
  // A run that is continued had its first line.
  if ((options.sums ? state.step == 1 : first) ||
      state.step == state.totalSteps ||
      state.step % static_cast<std::uint64_t>(options.loggingSteps) == 0)
    logStep(result);
}

void Trainer::evaluate() {
  progress.clear();
  agreement.settle();
  compareMasks();
  withMaskedTriplets(session, [this] { evaluateAll(); });
}

void Trainer::evaluateAll() {
  auto name = viewOf(plan.task().name());
  for (auto &data : evaluation) {
    Evaluation result = evaluateDataset(runner, task, data, false, true);
    if (!ranks.first())
      continue;
    printEvaluation(options.out, name, result);
    for (RunObserver *observer : observers)
      observer->onEvaluate(now(), result);
  }
}

void Trainer::save(bool evaluated) {
  if (savedAt == state.step)
    return;
  agreement.settle();
  compareMasks();
  if (options.saver) {
    options.saver->begin({.step = state.step,
                          .epoch = state.step / perEpoch,
                          .epochStep = state.step % perEpoch,
                          .seed = options.seed,
                          .dataSeed = options.dataSeed},
                         sums(evaluated), !evaluated);
  }
  savedAt = state.step;
  if (!options.saver)
    saveToOutput();
}

void Trainer::saveToOutput() {
  saveAdapter(session, options.outputDir, options.baseModel, ranks,
              state.totalSteps);
  adapterSaved = state.step == savedAt;
}

bool Trainer::isDue(When when, std::int64_t every, std::uint64_t step) const {
  return (when == When::Steps &&
          step % static_cast<std::uint64_t>(every) == 0) ||
         (when == When::Epoch && step % perEpoch == 0) ||
         // The last state is always evaluated, unless nothing is.
         (when != When::Never && step == state.totalSteps);
}

void Trainer::finish(int signal) {
  collectShares();
  RunEnd told{now()};
  told.loss = static_cast<float>(
      losses.total() /
      static_cast<double>(state.step - (options.sums ? 0 : options.firstStep)));
  told.tokens = state.tokens;
  told.signal = signal;
  told.seconds = secondsOfRun();
  for (RunObserver *observer : observers)
    observer->onEnd(told);
  // Whatever one of them lacks, the other is tried.
  bool saved = true;
  agreement.settle();
  if (options.saver)
    saved = options.saver->finish();
  if (!adapterSaved)
    saveToOutput();
  if (!saved)
    fail(ExitCode::Storage, "the last checkpoint was not saved");
  if (log)
    log->finish();
}

/// At the step after which a run goes on.
void Trainer::takeUp() {
  state.epoch = static_cast<double>(state.step) / static_cast<double>(perEpoch);
  savedAt = state.step;
  if (options.sums && !options.sums->evaluated &&
      isDue(options.evaluate, options.evalSteps, state.step))
    evaluate();
}

TrainOutcome Trainer::run() {
  // One that ended while it wrote its results writes them again.
  if (options.firstStep > state.totalSteps ||
      (options.firstStep == state.totalSteps && !options.sums))
    fail(ExitCode::Usage, "the run that is resumed has done ",
         options.firstStep, " of ", state.totalSteps,
         " steps: nothing is left to do");
  checkBatches();
  // Where the device works by itself, it has the next step before the host
  // looks at the results of this one.
  std::size_t ahead =
      session.device().isAsynchronous() && !session.debugSync() ? 1 : 0;
  int signal = 0;
  for (std::uint64_t epoch = 0; started < state.totalSteps && !signal;
       ++epoch) {
    for (auto &step : epochSteps(epoch)) {
      if (started < options.firstStep) {
        runner.skip(step);
        state.step = ++started;
        if (started == options.firstStep)
          takeUp();
        if (started == state.totalSteps)
          break;
        continue;
      }
      startStep(step);
      signal = agreement.after(started);
      bool last = signal || started == state.totalSteps;
      bool saves = last || isDue(options.save, options.saveSteps, started);
      bool evaluates =
          !signal && isDue(options.evaluate, options.evalSteps, started);
      while (pending.size() > (saves || evaluates ? 0 : ahead))
        finishStep();
      if (evaluates)
        evaluate();
      if (saves)
        save(!signal);
      if (options.saver && ranks.alone())
        options.saver->deliver({options.saver->take()});
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
  Trainer trainer(session, runner, task, training, evaluation, options);
  try {
    return trainer.run();
  } catch (const Error &error) {
    // Before anything waits for the others: they wait for this one.
    runner.ranks().fail(error);
    throw;
  }
}

} // namespace llamarun
