#include "runtime/train/StepPlan.h"

#include "runtime/comm/Grid.h"
#include "runtime/support/Error.h"

#include <algorithm>

namespace llamarun {
namespace {

std::uint64_t largestBucket(const Plan &plan, fb::ProgramKind kind) {
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < plan.programCount(); ++i)
    if (plan.program(i).kind() == kind)
      tokens = std::max<std::uint64_t>(tokens, plan.program(i).tokens());
  return tokens;
}

std::uint64_t tokensOf(const Dataset &data,
                       const std::vector<std::uint32_t> &indices) {
  std::uint64_t tokens = 0;
  for (auto i : indices)
    tokens += data.sequences[i].size();
  return tokens;
}

/// Greedy runs of `indices` that a program of `kind` holds.
std::vector<MicroBatch> cut(const Plan &plan, fb::ProgramKind kind,
                            const Dataset &data,
                            const std::vector<std::uint32_t> &indices) {
  std::vector<MicroBatch> parts;
  std::uint64_t tokens = 0;
  for (auto i : indices) {
    std::uint64_t length = data.sequences[i].size();
    if (!plan.find(kind, length, 1))
      fail(ExitCode::BadInput, plan.path(), ": example ", i, " of ", data.file,
           " has ", length, " tokens, the largest ", nameOf(kind),
           " program holds ", largestBucket(plan, kind),
           "; compile the plan with a smaller --max-seq-length");
    if (parts.empty() ||
        !plan.find(kind, tokens + length, parts.back().size() + 1)) {
      parts.emplace_back();
      tokens = 0;
    }
    parts.back().examples.push_back(i);
    tokens += length;
  }
  return parts;
}

bool canAccumulate(const Plan &plan) {
  // With an accumulation of 1 Train overwrites the gradients (docs/plan.md).
  return plan.task().accumulation() > 1 &&
         largestBucket(plan, fb::ProgramKind::Accumulate) > 0;
}

/// Adds a batch to a step: as one micro-batch, or as several if it is too long.
void append(const Plan &plan, const Dataset &data, DealtBatch batch,
            StepPlan &step) {
  std::uint64_t tokens = tokensOf(data, batch.indices);
  if (plan.find(fb::ProgramKind::Train, tokens, batch.indices.size())) {
    step.emplace_back(std::move(batch.indices), batch.rank);
    return;
  }
  auto parts = cut(plan, fb::ProgramKind::Train, data, batch.indices);
  if (!canAccumulate(plan))
    fail(ExitCode::BadInput, plan.path(), ": a batch of ", batch.indices.size(),
         " sequences has ", tokens, " tokens, the largest bucket holds ",
         largestBucket(plan, fb::ProgramKind::Train), " of ",
         plan.task().batch(),
         " sequences; compile the plan with larger --buckets, a smaller "
         "--per-device-batch-size or a smaller --max-seq-length");
  for (auto &part : parts)
    step.emplace_back(std::move(part.examples), batch.rank);
}

} // namespace

Dealing defaultDealing(const Plan &plan) {
  Grid grid(plan);
  auto axis = grid.find("dp");
  return Dealing::even(axis < grid.axes() ? grid.size(axis) : 1,
                       std::max(1u, plan.task().batch()));
}

std::vector<StepPlan> planEpoch(const Plan &plan, const Dataset &data,
                                const std::vector<std::uint32_t> &order,
                                const Dealing &dealing) {
  const fb::Task &task = plan.task();
  if (!largestBucket(plan, fb::ProgramKind::Train))
    fail(ExitCode::BadInput, plan.path(), ": has no program that trains");
  std::size_t accumulation = std::max(1u, task.accumulation());
  if (accumulation > 1 && !canAccumulate(plan))
    fail(ExitCode::BadInput, plan.path(), ": accumulates ", accumulation,
         " batches but has no program for it");

  std::vector<StepPlan> steps;
  for (auto &batch : dealBatches(order, dealing)) {
    steps.resize(std::max(steps.size(), batch.round / accumulation + 1));
    append(plan, data, std::move(batch), steps.back());
  }
  return steps;
}

StepPlan planStep(const Plan &plan, const Dataset &data,
                  const std::vector<std::uint32_t> &examples,
                  const Dealing &dealing) {
  StepPlan step;
  for (auto &batch : dealBatches(examples, dealing))
    append(plan, data, std::move(batch), step);
  return step;
}

std::uint64_t stepsPerEpoch(const fb::Task &task, const Dealing &dealing,
                            std::uint64_t samples) {
  std::uint64_t accumulation = std::max(1u, task.accumulation());
  return (dealing.rounds(samples) + accumulation - 1) / accumulation;
}

std::vector<std::size_t> ownOf(const StepPlan &step, unsigned dataRank) {
  std::vector<std::size_t> own;
  for (std::size_t i = 0; i < step.size(); ++i)
    if (step[i].dataRank == dataRank)
      own.push_back(i);
  return own;
}

std::vector<MicroBatch> planEvaluation(const Plan &plan, const Dataset &data,
                                       const std::vector<std::uint32_t> &order,
                                       unsigned dataRanks) {
  if (!largestBucket(plan, fb::ProgramKind::Evaluate))
    fail(ExitCode::BadInput, plan.path(), ": has no program that evaluates");
  auto batches = cut(plan, fb::ProgramKind::Evaluate, data, order);
  for (std::size_t i = 0; i < batches.size(); ++i)
    batches[i].dataRank = static_cast<unsigned>(i % dataRanks);
  return batches;
}

std::vector<StepPlan> planProbes(const Plan &plan, const Dataset &data,
                                 const std::vector<std::uint32_t> &order,
                                 const Dealing &dealing) {
  auto largest = largestBucket(plan, fb::ProgramKind::Probe);
  if (!largest)
    fail(ExitCode::Usage, plan.path(),
         ": has no probes; compile it with llamac --probe=activations");
  std::vector<StepPlan> rounds;
  for (auto &batch : dealBatches(order, dealing)) {
    std::uint64_t tokens = tokensOf(data, batch.indices);
    if (!plan.find(fb::ProgramKind::Probe, tokens, batch.indices.size()))
      fail(ExitCode::BadInput, plan.path(), ": a batch of ",
           batch.indices.size(), " sequences has ", tokens,
           " tokens, the largest probe program holds ", largest,
           "; compile the plan with larger --buckets, a smaller "
           "--per-device-batch-size or a smaller --max-seq-length");
    rounds.resize(std::max(rounds.size(), batch.round + 1));
    rounds.back().emplace_back(std::move(batch.indices), batch.rank);
  }
  return rounds;
}

} // namespace llamarun
