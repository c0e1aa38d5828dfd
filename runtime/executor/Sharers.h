//===- Sharers.h - Memory that collectives touch ---------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/plan/Plan.h"

#include <vector>

namespace llamarun {

/// For each allocation of the plan the communicators whose collectives read or
/// write it, on ranks that all have it in the same size: activations are as
/// large as the largest program that was used, which may differ between
/// data-parallel ranks, but not between the others.
std::vector<std::vector<CommunicatorKey>> sharersOf(const Plan &plan);

} // namespace llamarun
