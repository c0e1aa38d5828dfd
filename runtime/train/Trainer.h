//===- Trainer.h - The training loop ---------------------------*- C++ -*-===//
#pragma once

#include "runtime/train/ProgramRunner.h"
#include "runtime/train/RunObserver.h"
#include "runtime/train/Saver.h"
#include "runtime/train/TaskData.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

/// When something is done that is not done every step.
enum class When { Never, Epoch, Steps };

/// Names and defaults are those of Hugging Face's TrainingArguments.
struct TrainOptions {
  Hyper hyper; ///< warmupSteps and totalSteps are filled in by train()
  double epochs = 3;
  std::int64_t maxSteps = -1; ///< if positive, instead of epochs
  std::int64_t warmupSteps = 0;
  double warmupRatio = 0; ///< of all steps; if warmupSteps is 0
  /// Steps done by a run that this one resumes: the session is in the state
  /// after them. They count as steps of this run, but are not taken again.
  std::uint64_t firstStep = 0;
  /// Of that run, if its metrics.jsonl is continued, whose lines are
  /// `metricsSoFar` (rank 0). With them the two runs write what one would have.
  std::optional<RunningSums> sums;
  std::string metricsSoFar;
  std::uint64_t seed = 42; ///< of dropout and first values; only recorded
  std::uint64_t dataSeed = 42;
  bool shuffle = true;
  std::int64_t loggingSteps = 500;
  When evaluate = When::Epoch;
  std::int64_t evalSteps = 500;
  /// And always at the end. Without a `saver` it is the adapter that is saved,
  /// with one a checkpoint; the adapter then at the end alone.
  When save = When::Epoch;
  Saver *saver = nullptr; ///< not owned
  /// Told what metrics.jsonl is, on rank 0; not owned.
  std::vector<RunObserver *> observers;
  /// Rank 0's: what the user should know but nothing ends for.
  std::function<void(const std::string &)> warn;
  std::int64_t saveSteps = 500;
  std::filesystem::path outputDir;
  std::string baseModel;        ///< base_model_name_or_path of the adapter
  std::FILE *out = stdout;      ///< results, and progress as plain lines
  std::FILE *progress = stderr; ///< the bar, if it is a terminal
  /// The number of the signal that asks to stop after this step, or 0.
  /// Any rank's request stops them all, after the same step.
  std::function<int()> stopRequested = [] { return 0; };
  /// Examples of each round by replica; nothing: equal batches.
  std::optional<Dealing> dealing;
};

struct TrainOutcome {
  std::uint64_t steps = 0; ///< those of the run that was resumed included
  double lastLoss = 0;
  int signal = 0; ///< that ended it early, or 0
};

/// Trains the session's parameters on `training` and writes to the output
/// directory metrics.jsonl (one object a logging step, the first and last step
/// included, and one an evaluation) and the adapter. The order of examples is a
/// function of (dataSeed, epoch) alone; the same plan, session state, options
/// and data give the same bytes, but for members that hold the clock. All ranks
/// call it with the same data and options; rank 0 writes and prints.
/// \param task whose metrics to compute; null for causal LM.
/// \param evaluation splits to evaluate, in order.
/// \throws Error(Numerics) naming the step when loss or gradient norm is not
///   finite (what was saved before stays), Error(BadInput) before the first
///   step if a batch does not fit the plan, Error(Storage), Error(Usage) if
///   options.firstStep leaves nothing to do.
TrainOutcome train(Session &session, ProgramRunner &runner,
                   const GlueTaskInfo *task, const Dataset &training,
                   const std::vector<Dataset> &evaluation,
                   const TrainOptions &options);

/// Steps of the whole run.
std::uint64_t totalSteps(const Plan &plan, std::uint64_t samples,
                         const TrainOptions &options);

} // namespace llamarun
