//===- ProfileSummary.h - Where the time of training steps went -*- C++ -*-===//
#pragma once

#include "runtime/trace/Ceilings.h"
#include "runtime/trace/CollectiveLinks.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace llamarun {

/// Steps of programs that are the same work, over all traced training steps.
struct ProfileLine {
  std::string what; ///< StepCost::title
  std::size_t calls = 0;
  double seconds = 0; ///< every moment once (shareTime)
  double busy = 0;    ///< from begin to end of each, overlap counted again
  double bytes = 0, flops = 0;
  double floor = 0; ///< by bytes or FLOPs; of collectives the plan's prediction
};

/// One rank's part. Seconds of all traced steps.
struct RankSummary {
  unsigned rank = 0;
  double measured = 0; ///< by the device's marks, without the trace
  double inSteps = 0;  ///< in which at least one step of a plan ran
  double collectives = 0;
  double waiting = 0; ///< of that, until the last of the group had begun
  /// measured - inSteps: handing over inputs and outputs, launching, gaps.
  double gap() const { return measured - inSteps; }
};

struct ProfileSummary {
  std::uint32_t steps = 0;           ///< training steps that were traced
  std::vector<ProfileLine> lines;    ///< of the first rank, the longest first
  std::vector<RankSummary> ranks;    ///< in order
  std::vector<std::string> programs; ///< that the first rank ran
  std::uint64_t lost = 0;            ///< of all ranks
};

/// \param traces of all ranks, in order, aligned; not empty.
ProfileSummary summarize(const std::vector<RankTrace> &traces,
                         const PlanCosts &costs,
                         const std::vector<CollectiveLink> &links,
                         const Plan &plan, const Ceilings &ceilings);

} // namespace llamarun
