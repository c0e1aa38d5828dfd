//===- ProgramRunner.h - Batches through a plan's programs -----*- C++ -*-===//
#pragma once

#include "runtime/data/Batch.h"
#include "runtime/executor/Session.h"
#include "runtime/train/BudgetSchedule.h"
#include "runtime/train/Dataset.h"
#include "runtime/train/Ranks.h"
#include "runtime/train/StepPlan.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// The input `hyper` of docs/plan.md; defaults are those of Hugging Face's
/// TrainingArguments.
struct Hyper {
  double learningRate = 5e-5; ///< peak of the linear schedule
  std::int64_t warmupSteps = 0;
  std::int64_t totalSteps = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weightDecay = 0;
  double maxGradNorm = 1; ///< 0 = no clipping
};

struct StepResult {
  /// Mean over all labels of the step, the same on every rank; less `share`s.
  double loss = 0;
  /// Where replicas run several micro-batches: what this one's earlier ones add
  /// to the loss. Summed over the replicas' leading ranks it completes it.
  double share = 0;
  /// AdaLoRA: `loss` without the regulariser, and less `share`s as well.
  std::optional<double> taskLoss;
  /// AdaLoRA, where the step allocated: the mask after it, [modules, r].
  std::vector<float> kept;
  float gradNorm = 0; ///< before clipping
  float learningRate = 0;
  std::uint64_t tokens = 0;    ///< real ones, of all ranks
  std::uint64_t ownTokens = 0; ///< of them, those of this rank
};

/// A step that was put in and whose results are still to come; kept by the
/// device as long as this is.
struct PendingStep {
  std::vector<PendingRun> runs; ///< of this rank's micro-batches
  std::uint64_t tokens = 0, ownTokens = 0;
  std::uint64_t number = 0; ///< counts start() of its runner
  /// What it was made of, to run it again.
  const Dataset *data = nullptr;
  StepPlan step;
  Hyper hyper;
  Allocation allocation;
  std::int64_t firstMicroBatch = 0;  ///< of the whole run's
  const fb::Program *last = nullptr; ///< the one of runs.back()

  /// By the device's clock, this rank's micro-batches. Waits for them.
  double seconds() const;
};

struct EvaluateResult {
  double loss = 0; ///< sum over the labelled rows; NaN if there is none
  /// AdaLoRA's: what PEFT adds to the mean loss.
  std::optional<double> regulariser;
  std::uint64_t labels = 0;  ///< labelled rows
  std::vector<float> logits; ///< [sequences, V], if wanted
};

/// One run of a Probe program on this rank.
struct ProbeRun {
  double loss = 0;          ///< this rank's share of the batch's mean
  std::uint64_t tokens = 0; ///< real ones of this rank
  std::uint64_t rows = 0;   ///< with padding
  PendingRun run;
  std::function<bool(const std::string &)> has;

  /// An output of so many float32; empty if the program has none of the name.
  std::vector<float> read(const std::string &name, std::size_t count) const;
};

/// Packs examples, writes every input a program has, runs it and reads what
/// comes out. This is where batches are checked against the model: ids below
/// the vocabulary, class ids below the number of labels, sequences no longer
/// than max_length. Kernels rely on it. Of a step it runs what the rank it is
/// on has in it.
class ProgramRunner {
public:
  /// \param seed of dropout.
  ProgramRunner(Session &session, std::uint64_t seed, Ranks ranks = {})
      : session(session), seed(seed), theRanks(std::move(ranks)) {}

  /// Puts in one optimizer step without waiting for it; `data` must live until
  /// it is finished. \throws Error(BadInput) for examples that do not suit the
  /// model.
  /// \param allocation of AdaLoRA; plans of other adapters take no notice.
  PendingStep start(const Dataset &data, const StepPlan &step,
                    const Hyper &hyper, const Allocation &allocation = {});
  /// Passes over a step that was done before, by a run that this one resumes.
  void skip(const StepPlan &step) {
    microBatches += static_cast<std::int64_t>(step.size());
  }
  /// Waits for the step. \throws Error(Numerics) if loss or gradient norm is
  /// not finite, on all ranks alike. The message names the parameter if it can
  /// be told: as long as no step was started since, or if the parameters are
  /// still finite and a second run of the step shows it.
  /// \param beforeExchange called before the ranks find that out together.
  StepResult finish(const PendingStep &step,
                    const std::function<void()> &beforeExchange = {});
  StepResult train(const Dataset &data, const StepPlan &step,
                   const Hyper &hyper, const Allocation &allocation = {}) {
    return finish(start(data, step, hyper, allocation));
  }

  EvaluateResult evaluate(const Dataset &data, const MicroBatch &batch,
                          bool wantLogits);

  /// Runs what this rank has of a round (planProbes), or an empty batch: others
  /// wait for its collectives. \throws Error(BadInput) if no example of the
  /// round has a label.
  ProbeRun probe(const Dataset &data, const StepPlan &round);

  const Plan &plan() const { return session.plan(); }
  const Ranks &ranks() const { return theRanks; }

  /// Columns of the logits: labels, or the vocabulary.
  std::size_t logitColumns() const;

private:
  Batch packFor(const fb::Program &program, const Dataset &data,
                const MicroBatch &indices);
  const fb::Program &find(fb::ProgramKind kind, const Dataset &data,
                          const MicroBatch &indices) const;
  void writeInputs(const fb::Program &program, const Batch &batch,
                   double lossScale, const Hyper &hyper,
                   const Allocation &allocation, std::int64_t microBatch);
  void run(PendingStep &pending, bool updates);
  std::string whatIsBad(const PendingStep &step);

  Session &session;
  std::uint64_t seed;
  Ranks theRanks;
  /// Started so far, by all replicas: the counter of dropout.
  std::int64_t microBatches = 0;
  std::uint64_t started = 0; ///< steps
};

/// Labels of the given examples: with one each, or for causal LM every token
/// that has a next one.
std::uint64_t countLabels(HeadKind head, const Dataset &data,
                          const MicroBatch &indices);

} // namespace llamarun
