//===- Command.h - What the subcommands of llamarun share ------*- C++ -*-===//
//
// Each add...() declares one subcommand with its flags and stores in `command`
// what to run when it was chosen; that returns the exit code.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/plan/Plan.h"
#include "runtime/train/Ranks.h"
#include "runtime/train/SettingsAgreement.h"
#include "tools/llamarun/Job.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace llamarun {

using Command = std::function<int()>;

void addTrain(CLI::App &app, Command &command);
void addEval(CLI::App &app, Command &command);
void addPredict(CLI::App &app, Command &command);
void addProbe(CLI::App &app, Command &command);
void addReplay(CLI::App &app, Command &command);
void addConvert(CLI::App &app, Command &command);
void addBench(CLI::App &app, Command &command);
void addProfile(CLI::App &app, Command &command);
void addInspect(CLI::App &app, Command &command);
void addReport(CLI::App &app, Command &command);
void addBackup(CLI::App &app, Command &command);
void addRestore(CLI::App &app, Command &command);

/// Flags of every command that runs a plan.
struct DeviceFlags {
  std::string plan;
  std::string weights;   ///< a directory, or "random", "random:SEED"
  std::string tokenizer; ///< empty: beside the weights
  unsigned threads = 0;
  unsigned gpu = 0;
  std::uint64_t deviceMemory = 0;
  Tune tune = Tune::Load;
  std::string tuneFile; ///< empty: beside the plan
  bool debugSync = false;
  double timeout = 60;               ///< seconds
  const CLI::App *command = nullptr; ///< that these are flags of
  /// Of the loaded plan; its ranks, with one device this process alone.
  mutable std::shared_ptr<Job> job;

  void addTo(CLI::App &app);

  bool randomWeights() const {
    return weights == "random" || weights.starts_with("random:");
  }
  /// Where tokenizer and config.json are. \throws Error(Usage) if the weights
  /// are random and --tokenizer is not given.
  std::string tokenizerDirectory() const;

  /// Loads and verifies the plan, refuses it if it needs more than
  /// --device-memory, and begins its job (Job.h).
  std::shared_ptr<const Plan> loadPlan() const;

  /// --threads, or this rank's share of the host's.
  unsigned threadCount() const;
  /// This process in the grid of `plan`, for the training loop.
  Ranks ranks(const Plan &plan) const;
  /// Compares this rank's flags, and what else is given, with the others';
  /// those that are a host's own affair (paths, threads, ...) may differ.
  /// \throws as agreeOnSettings().
  void agree(const Ranks &ranks, Settings others = {}) const;
  /// The GPU that this rank takes.
  unsigned ordinal() const;

  /// A session on the plan's device with the checkpoint's weights, first values
  /// drawn from `seed`. Ranks of one host take one GPU after the other, from
  /// --gpu on, and share its CPUs.
  std::unique_ptr<Session> open(std::shared_ptr<const Plan> plan,
                                std::uint64_t seed) const;
};

} // namespace llamarun
