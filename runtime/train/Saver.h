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

  /// Copies the session's state, between two steps. It is written when those
  /// before it are; this does not wait for them.
  /// \param sums this rank's; `shares` has its own alone.
  /// \param urgent the process is about to be ended: what has waited for its
  ///   turn so far is left out.
  virtual void begin(const TrainingPosition &position, const RunningSums &sums,
                     bool urgent = false) = 0;
  /// What this rank has to say to the others, which all get with deliver()
  /// before they take() again; it goes with any exchange that there is. Empty
  /// if nothing. Alone, once a step.
  virtual std::string take() = 0;
  virtual void deliver(const std::vector<std::string> &all) = 0;
  /// Waits until no save is under way. Exchanges: settle those under way first.
  /// \returns whether the last save is in its place: the same on all ranks.
  virtual bool finish() = 0;
};

} // namespace llamarun
