//===- RunRecord.h - run.json: what a run was started with -----*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// Beside metrics.jsonl in an output directory.
inline constexpr const char *kRunFile = "run.json";

/// What the plan does not say about a run.
struct RunFacts {
  std::string version; ///< of llamarun
  /// Flags and their values, given or by default, in the order of --help.
  std::vector<std::pair<std::string, std::string>> arguments;
  std::string devices; ///< "2 x NVIDIA H200"
  std::uint64_t examples = 0, steps = 0, trainableParameters = 0;
};

/// One JSON object: "llamarun", "arguments", "devices", "examples", "steps",
/// "trainable_parameters", and of the plan, as llamarun inspect --json has
/// them, "plan" (file, hash, flags, target, grid, model, task, adapter) and
/// "memory" (bytes by category, of each device).
std::string runRecord(const Plan &plan, const RunFacts &facts);

} // namespace llamarun
