//===- StepShares.h - Whose time it is where steps overlap -----*- C++ -*-===//
#pragma once

#include "runtime/device/DeviceTrace.h"

#include <span>
#include <vector>

namespace llamarun {

/// Nanoseconds of each of `works` (in any order): every moment counts once, in
/// equal parts for those that are under way. They sum to the time in which at
/// least one is: what is left of a run is its gaps.
std::vector<double> shareTime(std::span<const TracedWork> works);

/// For each of `works`, in order of their begins, the lowest row in which it
/// overlaps none before it.
std::vector<unsigned> rowsOf(std::span<const TracedWork> works);

} // namespace llamarun
