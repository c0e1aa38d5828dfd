//===- StepPlan.h - Which examples make which step -------------*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"
#include "runtime/train/Dataset.h"

#include <cstdint>
#include <span>
#include <vector>

namespace llamarun {

/// Examples of one run of one program.
using MicroBatch = std::vector<std::uint32_t>;

/// One optimizer step: every micro-batch but the last goes through Accumulate,
/// the last one through Train.
using StepPlan = std::vector<MicroBatch>;

/// Cuts an epoch's order of examples into optimizer steps of
/// Task.accumulation batches of Task.batch examples. The last batch of an
/// epoch, and the last group of batches, may be smaller. A batch with more
/// tokens than the plan's largest bucket becomes several micro-batches if the
/// plan can accumulate.
/// \throws Error(BadInput) naming sizes and the flag of llamac to change if it
///   cannot, or if a single sequence does not fit.
std::vector<StepPlan> planEpoch(const Plan &plan, const Dataset &data,
                                const std::vector<std::uint32_t> &order);

/// Optimizer steps of an epoch over `samples` examples.
std::uint64_t stepsPerEpoch(const fb::Task &task, std::uint64_t samples);

/// Cuts `order` into runs of Evaluate programs: as many as fit the largest.
/// \throws Error(BadInput) if a sequence does not fit or the plan cannot
///   evaluate.
std::vector<MicroBatch> planEvaluation(const Plan &plan, const Dataset &data,
                                       const std::vector<std::uint32_t> &order);

} // namespace llamarun
