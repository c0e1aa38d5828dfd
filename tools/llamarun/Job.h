//===- Job.h - The job that this process takes part in ---------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/comm/Peers.h"
#include "runtime/plan/Plan.h"
#include "runtime/support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace llamarun {

/// Thrown in the process that started the ranks itself when all have ended;
/// main() returns the code. Not an error: those have been told already.
struct JobEnded {
  int code;
};

/// This process among the ranks of a plan; a plan for one device is a world of
/// one. There is one job in a process, and it outlives sessions.
class Job {
public:
  /// Finds its place in what a launcher put into the environment and meets the
  /// others; where there is no launcher and the plan's grid has more than one
  /// device, starts the ranks. \param timeout seconds, of --timeout.
  /// \throws JobEnded in the process that started the ranks, Error(Usage) if
  /// the job has another number of ranks than the grid devices, and what
  /// joinPeers does.
  static std::shared_ptr<Job> begin(const Plan &plan, double timeout);
  /// The one that begin() made, or null.
  static std::shared_ptr<Job> current();

  const World &world() const { return peers->world(); }

  std::unique_ptr<Peers> peers;

  /// The collectives of a session on `device`, which end with the job. They are
  /// aborted when a rank is lost. All ranks call this at the same place.
  Communicators &makeCommunicators(const Plan &plan, Device &device);

  /// Waits for all ranks to be done.
  void leave();

private:
  Job() = default;
  // A session may be opened more than once in a process.
  std::vector<std::unique_ptr<Communicators>> communicators;
  std::vector<Peers::Subscription> subscriptions;
};

/// Tells the other ranks that this one ends with `error`, and the user why the
/// job ends: once, by whatever comes first. \returns the exit code.
int endJob(const Error &error);

/// One line on standard error, whatever the message holds.
void printError(std::string message);

} // namespace llamarun
