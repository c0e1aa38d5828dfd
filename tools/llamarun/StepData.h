//===- StepData.h - Examples for steps that are only timed -----*- C++ -*-===//
#pragma once

#include "runtime/train/Dataset.h"
#include "tools/llamarun/Command.h"

#include <cstdint>
#include <memory>
#include <string>

namespace llamarun {

/// The training split under `data`; without one, made-up examples for `steps`
/// optimizer steps of the plan, of the lengths that `lengths` names.
/// \throws Error(BadInput) as TaskData, Error(Usage) for an unknown model of
///   lengths.
Dataset stepData(const DeviceFlags &device,
                 const std::shared_ptr<const Plan> &plan,
                 const std::string &data, const std::string &lengths,
                 std::size_t steps, std::uint64_t seed);

} // namespace llamarun
