//===- Probe.h - A split through the probes of a plan ----------*- C++ -*-===//
#pragma once

#include "runtime/train/MetricsLog.h"
#include "runtime/train/ProbeStatistics.h"
#include "runtime/train/ProgramRunner.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace llamarun {

/// What the probes say of one batch (of all replicas) or of all of them.
struct ProbeResult {
  std::uint64_t batches = 0, samples = 0, tokens = 0;
  double loss = 0; ///< mean over batches of the mean over labels
  std::vector<ProbedModule> modules; ///< in the order of the plan
};

/// The modules that a plan's Probe programs look at, with the shapes of their
/// weights and no numbers. \throws Error(Usage) if the plan has no such
/// program (llamac --probe).
std::vector<ProbedModule> probedModules(const Plan &plan);

/// Runs `data` in its own order through the Probe programs: batches of
/// Task.batch examples for each replica. Statistics are of real tokens, each
/// counted once; gradients are those of the mean loss over a batch's labels.
/// All ranks get the result.
/// \param each called on every rank with the result of each batch.
/// \throws Error(Numerics) naming the layer if a number is not finite;
///   Error(BadInput) for examples that do not suit the plan, or have no label.
ProbeResult probeDataset(ProgramRunner &runner, const Dataset &data,
                         const std::function<void(const ProbeResult &)> &each);

/// probe.json (docs/probes.md).
std::string probeFile(const Plan &plan, const Dataset &data,
                      const ProbeResult &result);

/// One line of the stream: number, sizes, loss and modules of a batch.
JsonLine probeLine(const ProbeResult &batch, std::uint64_t number);

} // namespace llamarun
