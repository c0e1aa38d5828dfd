//===- Convert.h - Checkpoints from one layout to another ------*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace llamarun {

/// What was converted, for people.
struct ConvertReport {
  std::string from, to;    ///< layouts, as --shard spells them
  std::size_t tensors = 0; ///< moments counted by themselves
  std::uint64_t bytes = 0; ///< of all target parts
};

/// Changes the layout of the checkpoint `in` as a plan of `llamac
/// --reshard-from` says, and writes it to `out`, which may be `in`. Runs on the
/// CPU of this machine alone, whatever the sizes of the grids. Position, seeds
/// and hashes of plan and model stay as they are.
/// \param threads of the CPU device; 0 = one per hardware thread.
/// \throws Error(BadInput) if the plan changes no layout, if the checkpoint's
///   layout, model or tensors are not the plan's source, or if a file is
///   damaged (file and tensor named). Error(Storage), Error(Usage) as
///   CheckpointDirectory. Nothing is left half written.
ConvertReport convertCheckpoint(std::shared_ptr<const Plan> plan,
                                const std::filesystem::path &in,
                                const std::filesystem::path &out,
                                unsigned threads = 0);

} // namespace llamarun
