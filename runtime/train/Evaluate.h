//===- Evaluate.h - A whole split through a model --------------*- C++ -*-===//
#pragma once

#include "runtime/data/Metrics.h"
#include "runtime/train/ProgramRunner.h"
#include "runtime/train/TaskData.h"

#include <string>
#include <vector>

namespace llamarun {

struct Evaluation {
  std::string split;         ///< "dev"
  Metrics metrics;           ///< "loss" first, then the task's
  std::vector<float> logits; ///< [samples, V] in the order of the data
  std::uint64_t samples = 0, tokens = 0;
  double seconds = 0;
};

/// Evaluates `data`: packed by length, so that batches fill their buckets, with
/// results in the data's own order. "loss" is the mean over all labels; for
/// causal LM "perplexity" is its exponential. Replicas run batches in turn; all
/// ranks get the whole result.
/// \param task whose metrics to compute; null for none.
/// \param wantLogits keep them also for causal LM (of every last token).
/// \param whileTraining for AdaLoRA: "loss" has PEFT's regulariser in it, and
///   "task_loss" is without. Otherwise there is only "task_loss": a saved
///   adapter lacks the rows that the regulariser is over.
/// \throws Error(Numerics) if the loss of labelled data is not finite.
Evaluation evaluateDataset(ProgramRunner &runner, const GlueTaskInfo *task,
                           const Dataset &data, bool wantLogits = false,
                           bool whileTraining = false);

/// What the head says of each row of logits: the class with the largest (the
/// first of equals), or the score.
std::vector<double> predictionsOf(HeadKind head,
                                  const std::vector<float> &logits,
                                  std::size_t columns);

/// Indices of the sequences by rising length, equal ones in their order.
std::vector<std::uint32_t> orderByLength(const Dataset &data);

} // namespace llamarun
