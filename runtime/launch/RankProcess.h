//===- RankProcess.h - One rank as a child process -------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Connection.h"
#include "runtime/launch/LinePrefix.h"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace llamarun {

/// A child process, the ends of its pipes, and how it ended.
class RankProcess {
public:
  /// Starts this program again with `arguments` and, beside this process's own
  /// variables, `variables` ("NAME=value"; "NAME" alone is taken out).
  /// \param tagged its output comes through pipes, as lines with its number.
  /// \throws Error(PeerLost) if the system starts no process.
  RankProcess(unsigned rank, const std::vector<std::string> &arguments,
              const std::vector<std::string> &variables, bool tagged);
  RankProcess(RankProcess &&) = default;

  unsigned rank() const { return number; }
  bool running() const { return pid > 0; }
  void signal(int signal);
  /// Kills it; that is then not taken for its own end.
  void end();
  /// Looks whether it has ended.
  void reap();

  /// The pipes to poll; those without a reader end are left out.
  std::vector<int> pipes() const;
  /// Passes on what its pipes hold.
  void pump();
  /// What it reported (reportToLauncher), if anything.
  const std::optional<PeerFailure> &report() const { return reported; }

  // Once it has ended:
  int exitCode() const { return code; } ///< 0 if it was ended by a signal
  int endedBy() const { return signalNumber; }
  /// Whether something but us ended it other than with exit code 0.
  bool failed() const {
    return !running() && (code || (signalNumber && !killed));
  }

private:
  void pumpLines(Descriptor &from, LinePrefix &prefix, int to);

  unsigned number;
  pid_t pid = -1;
  Descriptor out, error, reports;
  LinePrefix outLines, errorLines;
  FrameParser parser;
  std::optional<PeerFailure> reported;
  int code = 0, signalNumber = 0;
  bool killed = false;
};

} // namespace llamarun
