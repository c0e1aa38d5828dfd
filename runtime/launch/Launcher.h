//===- Launcher.h - Starts and supervises the ranks of a host --*- C++ -*-===//
//
// Where no launcher has put ranks into the environment, the program starts
// itself once per rank, and what was started first only watches. The ranks find
// each other as they would under torchrun (World.h).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/comm/Peers.h"

#include <chrono>
#include <string>
#include <vector>

namespace llamarun {

struct LaunchOptions {
  unsigned ranks = 1;
  /// argv of every rank; the program is this one, whatever argv[0] says.
  std::vector<std::string> arguments;
  /// From the first rank's failure to the end of those that have not ended by
  /// themselves.
  std::chrono::milliseconds grace{1200};
  /// The same when the first ranks have ended well.
  std::chrono::milliseconds patience{30000};
};

struct LaunchOutcome {
  /// The failed rank's own code if it reported one, PeerLost if it was killed,
  /// 128+n if this process was told to end by signal n.
  int code = 0;
  /// Why, one line each, the first one first. What ranks wrote to standard
  /// error by themselves is not repeated.
  std::vector<std::string> causes;
};

/// Runs the ranks and waits for all of them. Rank 0 has this process's
/// terminal, standard output and error; lines of the others are written there
/// with "[rank 1] " before them. SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed
/// on, a stop by the terminal and what follows, too. No rank outlives this
/// process, even if it is killed. To be called while there is one thread.
/// \throws Error(PeerLost) if no process can be started.
LaunchOutcome launchRanks(const LaunchOptions &options);

/// Tells the process that started this rank why the job ends; of several
/// reports the first counts. \returns false if there is no such process:
/// the rank then has to print it.
bool reportToLauncher(const PeerFailure &failure);

} // namespace llamarun
