//===- RunBackup.h - --backup of llamarun train ----------------*- C++ -*-===//
#pragma once

#include "runtime/train/Ranks.h"
#include "runtime/train/Trainer.h"

#include <CLI/CLI.hpp>
#include <memory>

namespace llamarun {

/// Backups of the run's folder to S3, beside training: one whenever a
/// checkpoint is complete, one at the end. Nothing waits for them but the end;
/// what fails is a warning and is tried again with the next one.
class RunBackup {
public:
  RunBackup();
  ~RunBackup();
  RunBackup(RunBackup &&) noexcept;

  void addTo(CLI::App &app);
  /// Each rank, before anything else. \throws Error(Usage).
  void check() const;
  /// Rank 0: looks from now on, beside the loop, whether the place can be
  /// reached, and waits for checkpoints.
  void start(TrainOptions &options);
  /// Rank 0: the last backup. \returns whether it was made, or none was asked
  /// for.
  bool finish(const Ranks &ranks);

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace llamarun
