#include "runtime/train/StepPlan.h"

#include "runtime/data/Sampler.h"
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

std::uint64_t tokensOf(const Dataset &data, const MicroBatch &batch) {
  std::uint64_t tokens = 0;
  for (auto i : batch)
    tokens += data.sequences[i].size();
  return tokens;
}

/// Greedy runs of `indices` that a program of `kind` holds.
std::vector<MicroBatch> cut(const Plan &plan, fb::ProgramKind kind,
                            const Dataset &data, const MicroBatch &indices) {
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
    parts.back().push_back(i);
    tokens += length;
  }
  return parts;
}

bool canAccumulate(const Plan &plan) {
  // With an accumulation of 1 Train overwrites the gradients (docs/plan.md).
  return plan.task().accumulation() > 1 &&
         largestBucket(plan, fb::ProgramKind::Accumulate) > 0;
}

} // namespace

std::vector<StepPlan> planEpoch(const Plan &plan, const Dataset &data,
                                const std::vector<std::uint32_t> &order) {
  const fb::Task &task = plan.task();
  if (!largestBucket(plan, fb::ProgramKind::Train))
    fail(ExitCode::BadInput, plan.path(), ": has no program that trains");
  std::size_t accumulation = std::max(1u, task.accumulation());
  if (accumulation > 1 && !canAccumulate(plan))
    fail(ExitCode::BadInput, plan.path(), ": accumulates ", accumulation,
         " batches but has no program for it");

  std::vector<StepPlan> steps;
  std::size_t inStep = 0; // batches before they are split
  for (auto &batch : dealBatches(order, std::max(1u, task.batch()), 0, 1)) {
    if (steps.empty() || inStep == accumulation) {
      steps.emplace_back();
      inStep = 0;
    }
    ++inStep;
    std::uint64_t tokens = tokensOf(data, batch.indices);
    if (plan.find(fb::ProgramKind::Train, tokens, batch.indices.size())) {
      steps.back().push_back(std::move(batch.indices));
      continue;
    }
    auto parts = cut(plan, fb::ProgramKind::Train, data, batch.indices);
    if (!canAccumulate(plan))
      fail(ExitCode::BadInput, plan.path(), ": a batch of ",
           batch.indices.size(), " sequences has ", tokens,
           " tokens, the largest bucket holds ",
           largestBucket(plan, fb::ProgramKind::Train),
           "; compile the plan with larger --buckets, a smaller "
           "--per-device-batch-size or a smaller --max-seq-length");
    for (auto &part : parts)
      steps.back().push_back(std::move(part));
  }
  return steps;
}

std::uint64_t stepsPerEpoch(const fb::Task &task, std::uint64_t samples) {
  std::uint64_t batch = std::max(1u, task.batch());
  std::uint64_t accumulation = std::max(1u, task.accumulation());
  std::uint64_t batches = (samples + batch - 1) / batch;
  return (batches + accumulation - 1) / accumulation;
}

std::vector<MicroBatch>
planEvaluation(const Plan &plan, const Dataset &data,
               const std::vector<std::uint32_t> &order) {
  if (!largestBucket(plan, fb::ProgramKind::Evaluate))
    fail(ExitCode::BadInput, plan.path(), ": has no program that evaluates");
  return cut(plan, fb::ProgramKind::Evaluate, data, order);
}

} // namespace llamarun
