//===- RunRecords.h - What else a training run leaves behind ---*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/train/Ranks.h"
#include "runtime/train/Trainer.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// Every flag of a parsed command with its value, given or by default.
std::vector<std::pair<std::string, std::string>>
settingsOf(const CLI::App &command);

/// "2 x NVIDIA H200"
std::string devicesOf(Session &session, const Ranks &ranks);

/// Parameters that are trained, of all devices together.
std::uint64_t trainableOf(const Plan &plan, const Ranks &ranks);

/// The flag --logging-dir, and run.json, which is always written.
class RunRecords {
public:
  std::string loggingDir; ///< empty: no TensorBoard
  std::vector<std::pair<std::string, std::string>> settings;

  /// Writes run.json and starts the event file, which from then on gets the
  /// run's metrics: after options say where the run begins. Rank 0 calls it.
  /// \throws Error(Storage).
  void start(Session &session, const Ranks &ranks, std::uint64_t examples,
             TrainOptions &options);

private:
  std::shared_ptr<RunObserver> observer; ///< of options.observers
};

} // namespace llamarun
