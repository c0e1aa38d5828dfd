//===- Saver.h - Checkpoints beside the steps ------------------*- C++ -*-===//
#pragma once

#include "runtime/io/Checkpoint.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamarun {

/// What the training loop asks of whoever writes checkpoints. Calls come from
/// its thread, the same on all ranks and in the same order. What goes wrong
/// with the storage is told to the user, and training goes on.
class Saver {
public:
  virtual ~Saver() = default;

  /// Copies the session's state, between two steps, and begins to write it; the
  /// save before this one has been drained. \param sums this rank's; `shares`
  /// has its own alone.
  virtual void begin(const TrainingPosition &position,
                     const RunningSums &sums) = 0;
  /// What this rank has to say to the others, which all get with deliver(); it
  /// goes with any exchange that there is. Empty if nothing.
  virtual std::string take() = 0;
  virtual void deliver(const std::vector<std::string> &all) = 0;
  /// Waits until no save is under way. Exchanges: settle those under way first.
  virtual void drain() = 0;
  /// drain(), and whether the last save is in its place: the same on all ranks.
  virtual bool finish() = 0;
};

} // namespace llamarun
