//===- JobTrace.h - The traces of all ranks as one file --------*- C++ -*-===//
#pragma once

#include "runtime/trace/CollectiveLinks.h"
#include "runtime/trace/TraceEvents.h"

namespace llamarun {

/// A process for each rank. Its lanes, in this order: the host's two, one for
/// each stream (steps that overlap lie on further ones), copies and what else
/// is of no step, threads of a CPU. On stream 0 a training step encloses its
/// runs, and a run its steps. What a collective waited for, and achieved rates,
/// are in the steps' arguments; arrows lead through the calls of one
/// collective.
void writeJobTrace(TraceEvents::Sink sink, const Plan &plan,
                   const std::vector<RankTrace> &traces, const PlanCosts &costs,
                   const std::vector<CollectiveLink> &links);

} // namespace llamarun
