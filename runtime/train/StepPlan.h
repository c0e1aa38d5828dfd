//===- StepPlan.h - Which examples make which step -------------*- C++ -*-===//
//
// Every rank plans for all of them: they know the same data, and agree on what
// a step is without a word.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/data/Sampler.h"
#include "runtime/plan/Plan.h"
#include "runtime/train/Dataset.h"

#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace llamarun {

/// Examples of one run of one program, and the data-parallel rank that runs it.
struct MicroBatch {
  std::vector<std::uint32_t> examples;
  unsigned dataRank = 0;

  MicroBatch() = default;
  MicroBatch(std::vector<std::uint32_t> examples, unsigned dataRank = 0)
      : examples(std::move(examples)), dataRank(dataRank) {}
  MicroBatch(std::initializer_list<std::uint32_t> examples)
      : examples(examples) {}
  auto begin() const { return examples.begin(); }
  auto end() const { return examples.end(); }
  std::size_t size() const { return examples.size(); }
  bool operator==(const MicroBatch &) const = default;
};

/// One optimizer step: the micro-batches of all data-parallel ranks, in the
/// order of their examples. Each rank runs its own: every one but its last
/// goes through Accumulate, the last one through Train; a rank without any
/// runs an empty one. What one rank of several runs as micro-batch i of a step
/// is micro-batch i of a single device too.
using StepPlan = std::vector<MicroBatch>;

/// How the plan's ranks share an epoch: Task.batch examples each in turn.
Dealing defaultDealing(const Plan &plan);

/// Cuts an epoch's order of examples into optimizer steps of Task.accumulation
/// rounds of `dealing`. The last round of an epoch, and the last group of
/// rounds, may be smaller. A batch with more tokens or sequences than the
/// plan's largest program becomes several micro-batches if the plan can
/// accumulate.
/// \throws Error(BadInput) naming sizes and the flag of llamac to change if it
///   cannot, or if a single sequence does not fit.
std::vector<StepPlan> planEpoch(const Plan &plan, const Dataset &data,
                                const std::vector<std::uint32_t> &order,
                                const Dealing &dealing);

/// Optimizer steps of an epoch over `samples` examples.
std::uint64_t stepsPerEpoch(const fb::Task &task, const Dealing &dealing,
                            std::uint64_t samples);

/// One step over all of `examples`, a batch of a reference run: its rounds.
/// \throws Error(BadInput) as planEpoch().
StepPlan planStep(const Plan &plan, const Dataset &data,
                  const std::vector<std::uint32_t> &examples,
                  const Dealing &dealing);

/// The micro-batches that `dataRank` runs of a step, by their place in it;
/// none if it has none.
std::vector<std::size_t> ownOf(const StepPlan &step, unsigned dataRank);

/// Cuts `order` into runs of Evaluate programs: as many as fit the largest.
/// They are dealt to `dataRanks` ranks in turn.
/// \throws Error(BadInput) if a sequence does not fit or the plan cannot
///   evaluate.
std::vector<MicroBatch> planEvaluation(const Plan &plan, const Dataset &data,
                                       const std::vector<std::uint32_t> &order,
                                       unsigned dataRanks = 1);

/// Cuts `order` into rounds of Probe programs: a batch for each data-parallel
/// rank, fewer in the last one.
/// \throws Error(BadInput) if a batch does not fit, Error(Usage) if the plan
///   has no probes.
std::vector<StepPlan> planProbes(const Plan &plan, const Dataset &data,
                                 const std::vector<std::uint32_t> &order,
                                 const Dealing &dealing);

} // namespace llamarun
