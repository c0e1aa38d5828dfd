//===- BudgetSchedule.h - What AdaLoRA allocates when ----------*- C++ -*-===//
//
// Source: peft/tuners/adalora/layer.py (RankAllocator.budget_schedule) and
// model.py (AdaLoraModel.update_and_allocate); AdaLoRA, arXiv 2303.10512,
// section 3.3.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/plan/Plan.h"

#include <array>
#include <cstdint>
#include <optional>

namespace llamarun {

/// What one optimizer step does to the ranks: the input `adalora` of
/// docs/plan.md, and the budget for people.
struct Allocation {
  enum Mode : std::int64_t {
    Score = 0,      ///< averages of importance are updated, nothing is masked
    ScoreMask = 1,  ///< they are, then triplets are masked by their scores
    ForcedMask = 2, ///< masked by the scores there are: once, at T1
    KeepMask = 3    ///< E is masked by the mask of T1
  };
  Mode mode = Score;
  /// Modes 1 and 2: the k-th smallest score is the largest to be masked; 0
  /// masks nothing.
  std::int64_t k = 0;
  /// Triplets to keep, over all matrices; ties may leave fewer.
  std::int64_t budget = 0;

  bool allocates() const { return mode == ScoreMask || mode == ForcedMask; }
  std::array<std::int64_t, 2> input() const { return {mode, k}; }
  bool operator==(const Allocation &) const = default;
};

/// The cubic schedule from init_r to target_r a matrix. Steps are optimizer
/// steps and count from 0, as PEFT's global_step.
class BudgetSchedule {
public:
  /// \param adapter of kind "adalora".
  /// \param steps of training: total_step, if the plan has none.
  /// \throws Error(Usage) if that leaves no step between tinit and tfinal, as
  ///   PEFT does.
  BudgetSchedule(const fb::Adapter &adapter, std::uint64_t steps);

  Allocation at(std::uint64_t step) const;

  std::int64_t initialBudget() const { return initial; }
  std::int64_t targetBudget() const { return target; }
  std::uint64_t totalStep() const { return static_cast<std::uint64_t>(total); }

private:
  std::int64_t budgetAt(std::int64_t step) const;

  // All verified to be below 2^53: exact as doubles.
  std::int64_t initial, target, tinit, tfinal, deltaT, total;
};

/// The plan's schedule; nothing if its adapter has none.
std::optional<BudgetSchedule> budgetSchedule(const Plan &plan,
                                             std::uint64_t steps);

} // namespace llamarun
