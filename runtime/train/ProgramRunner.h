//===- ProgramRunner.h - Batches through a plan's programs -----*- C++ -*-===//
#pragma once

#include "runtime/data/Batch.h"
#include "runtime/executor/Session.h"
#include "runtime/train/Dataset.h"
#include "runtime/train/StepPlan.h"

#include <cstdint>
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
  double loss = 0;    ///< mean over all labels of the step
  float gradNorm = 0; ///< before clipping
  float learningRate = 0;
  std::uint64_t tokens = 0; ///< real ones
};

/// A step that was put in and whose results are still to come; kept by the
/// device as long as this is.
struct PendingStep {
  std::vector<PendingRun> runs; ///< of its micro-batches
  std::uint64_t tokens = 0;
  std::uint64_t number = 0; ///< counts start() of its runner

  /// By the device's clock, all micro-batches. Waits for them.
  double seconds() const;
};

struct EvaluateResult {
  double loss = 0; ///< sum over the labelled rows; NaN if there is none
  std::uint64_t labels = 0;  ///< labelled rows
  std::vector<float> logits; ///< [sequences, V], if wanted
};

/// Packs examples, writes every input a program has, runs it and reads what
/// comes out. This is where batches are checked against the model: ids below
/// the vocabulary, class ids below the number of labels, sequences no longer
/// than max_length. Kernels rely on it.
class ProgramRunner {
public:
  /// \param seed of dropout.
  ProgramRunner(Session &session, std::uint64_t seed)
      : session(session), seed(seed) {}

  /// Puts in one optimizer step without waiting for it. \throws
  /// Error(BadInput) for examples that do not suit the model.
  PendingStep start(const Dataset &data, const StepPlan &step,
                    const Hyper &hyper);
  /// Waits for the step. \throws Error(Numerics) if loss or gradient norm is
  /// not finite. It names the parameter if no step was started since: the next
  /// one overwrites the gradients.
  StepResult finish(const PendingStep &step);
  StepResult train(const Dataset &data, const StepPlan &step,
                   const Hyper &hyper) {
    return finish(start(data, step, hyper));
  }

  EvaluateResult evaluate(const Dataset &data, const MicroBatch &batch,
                          bool wantLogits);

  const Plan &plan() const { return session.plan(); }

  /// Columns of the logits: labels, or the vocabulary.
  std::size_t logitColumns() const;

private:
  Batch packFor(const fb::Program &program, const Dataset &data,
                const MicroBatch &indices);
  const fb::Program &find(fb::ProgramKind kind, const Dataset &data,
                          const MicroBatch &indices) const;
  void writeInputs(const fb::Program &program, const Batch &batch,
                   double lossScale, const Hyper &hyper);

  Session &session;
  std::uint64_t seed;
  std::int64_t microBatches = 0; ///< trained so far: the counter of dropout
  std::uint64_t started = 0;     ///< steps
};

/// Labels of the given examples: with one each, or for causal LM every token
/// that has a next one.
std::uint64_t countLabels(HeadKind head, const Dataset &data,
                          const MicroBatch &indices);

} // namespace llamarun
