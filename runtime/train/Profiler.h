//===- Profiler.h - Training steps with every plan step's time -*- C++ -*-===//
#pragma once

#include "runtime/trace/RankTrace.h"
#include "runtime/train/Bench.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

struct ProfileOptions {
  std::uint32_t steps = 10, warmup = 8;
  /// Also take as many steps without tracing, in turns, and compare them.
  bool compare = false;
};

struct JobProfile {
  std::vector<RankTrace> traces; ///< of all ranks, aligned; on rank 0 alone
  std::string note;              ///< why times are not the best there could be
  /// Of steps with tracing, over those without; minus 1. This rank's, medians
  /// of the steps of a program against each other.
  std::optional<double> overhead;
  BenchResult
      bench; ///< of all steps, traced or not; empty of a model's program
};

/// Trains as benchTraining does and keeps when each step of the plan ran. Where
/// the device of a rank keeps no times (Device::makeTrace), the traces are of
/// the commonest program by itself (Session::profile). All ranks of a grid call
/// it with the same data.
/// \throws what benchTraining does, Error(Usage) with --debug-sync.
JobProfile profileTraining(Session &session, ProgramRunner &runner,
                           const Dataset &data, const ProfileOptions &options);

/// The same for the program that a model brought, on inputs that are drawn.
JobProfile profileProgram(Session &session, const Ranks &ranks,
                          std::uint64_t seed, const ProfileOptions &options);

/// This rank's clock against rank 0's. All ranks call it.
/// \param identity of the clock: where all have the same, nothing is measured.
ClockOffset exchangeClocks(const Ranks &ranks,
                           const std::string &identity = clockIdentity());

} // namespace llamarun
