//===- CollectiveLinks.h - Which calls of ranks are one --------*- C++ -*-===//
#pragma once

#include "runtime/trace/RankTrace.h"
#include "runtime/trace/StepCosts.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llamarun {

/// StepCosts of the programs that were traced, by index in the plan; empty for
/// the others.
using PlanCosts = std::vector<std::vector<StepCost>>;
PlanCosts planCosts(const Plan &plan, const std::vector<RankTrace> &traces);

/// One collective of a group: the work of each member.
struct CollectiveLink {
  struct Member {
    std::size_t trace, work; ///< index in traces, and in its steps
  };
  std::vector<Member> members; ///< at least two, in order of their begins
  /// When the last of them began: who began earlier has waited until then.
  std::int64_t lastBegin = 0;
};

/// The members of a group take its collectives of one stream in the same order,
/// whatever programs they run. \param traces of all ranks, in order, aligned.
std::vector<CollectiveLink>
linkCollectives(const Plan &plan, const std::vector<RankTrace> &traces,
                const PlanCosts &costs);

} // namespace llamarun
