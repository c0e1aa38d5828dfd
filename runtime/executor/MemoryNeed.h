//===- MemoryNeed.h - A plan that is too large for a device ----*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/plan/Plan.h"

#include <string>

namespace llamarun {

/// \throws Error(DoesNotFit) always: what the plan needs by category, its
/// largest allocations, and which of its programs a plan for `memory.freeBytes`
/// could have. Programs share one arena of activations, so a plan without the
/// largest buckets takes less.
[[noreturn]] void refuseMemory(const Plan &plan, const std::string &device,
                               const MemoryInfo &memory);

} // namespace llamarun
