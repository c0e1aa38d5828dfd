//===- CheckpointFolder.h - checkpoint-<step> in a run's folder -*- C++ -*-===//
//
// Names and pruning as of Hugging Face's Trainer.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/io/Checkpoint.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace llamarun {

/// "checkpoint-<step>" in `run`.
std::filesystem::path checkpointPath(const std::filesystem::path &run,
                                     std::uint64_t step);

/// The directories of that name in `run`, complete or not, by step; none if
/// there is no such folder.
std::map<std::uint64_t, std::filesystem::path>
checkpointsIn(const std::filesystem::path &run);

/// Reads checkpoint.json and compares every file of the directory with
/// SHA256SUMS. \throws Error(BadInput) naming the file that is missing,
/// damaged (and the tensor, if it is inside of one), or not listed there
/// although the checkpoint needs it.
Checkpoint openVerified(const std::filesystem::path &directory);

using Warn = std::function<void(const std::string &)>;

/// The newest that is complete: of the highest generation, and in it of the
/// highest step. Others before it are told to `warn` with the file that is
/// wrong. Nothing if there is none.
std::optional<Checkpoint> newestComplete(const std::filesystem::path &run,
                                         const Warn &warn);

/// Removes the oldest checkpoints up to `step`, until there are `most` of them,
/// `step`'s included. Those of later steps are another run's and stay. \param
/// most 0 = keep all.
void pruneCheckpoints(const std::filesystem::path &run, std::uint64_t step,
                      std::uint64_t most);

/// Of a run that begins there: higher than that of any checkpoint.
std::uint64_t nextGeneration(const std::filesystem::path &run);

/// Removes the checkpoints of generations before `generation`.
void removeOlder(const std::filesystem::path &run, std::uint64_t generation);

/// Removes what killed runs have left under construction.
void removeLeftovers(const std::filesystem::path &run);

} // namespace llamarun
