//===- TrainingState.h - Sessions to and from checkpoints ------*- C++ -*-===//
#pragma once

#include "runtime/comm/Grid.h"
#include "runtime/executor/Session.h"
#include "runtime/io/Checkpoint.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// Everybody's bytes, by rank: Ranks::gather. All ranks call it equally often.
using Gather = std::function<std::vector<std::string>(std::string_view mine)>;

/// Of a plan for one device.
std::vector<std::string> gatherAlone(std::string_view mine);

/// Writes parameters, moments and State tensors of every rank's session to
/// `directory`, each part once: by the lowest rank that has it. A checkpoint
/// that is there is replaced in one step when the new one is complete. All
/// ranks call it together, between two steps, and must see one file system.
/// \param position what it says of the run; rank 0's counts.
/// \throws Error(Storage): the old checkpoint stays. Error(Usage) if
///   `directory` is something else than a checkpoint.
void saveCheckpoint(Session &session, const Grid &grid, unsigned rank,
                    const TrainingPosition &position,
                    const std::filesystem::path &directory,
                    const Gather &gather = gatherAlone);

/// Fills this rank's session from a checkpoint of any layout: of each tensor
/// what this rank holds, from the parts where it lies. Every part is checked
/// before the first is written. Ranks need not call it together.
/// \throws Error(BadInput) as requireTensors(), or naming a file or tensor that
///   is missing or damaged.
Checkpoint loadCheckpoint(Session &session, const Grid &grid, unsigned rank,
                          const std::filesystem::path &directory);

} // namespace llamarun
