#include "runtime/launch/Launcher.h"

#include "runtime/comm/World.h"
#include "runtime/launch/RankProcess.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace llamarun {
namespace {

using Clock = std::chrono::steady_clock;

/// A port of 127.0.0.1 that is free now. Should it be taken before rank 0 has
/// it, the ranks meet on one of those after it.
std::uint16_t freePort() {
  Descriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto *any = reinterpret_cast<sockaddr *>(&address);
  socklen_t size = sizeof(address);
  if (!fd || bind(fd.get(), any, size) || getsockname(fd.get(), any, &size))
    fail(ExitCode::PeerLost,
         "no free port on 127.0.0.1: ", std::strerror(errno));
  return std::min<std::uint16_t>(ntohs(address.sin_port), 65500);
}

/// Strangers on this machine do not know it.
std::string jobName() {
  std::random_device random;
  char text[40];
  std::snprintf(text, sizeof(text), "local-%08x%08x", random(), random());
  return text;
}

std::string signalText(int signal) {
  const char *name = sigabbrev_np(signal);
  return "killed by signal " + std::to_string(signal) +
         (name ? std::string(" (SIG") + name + ")" : std::string());
}

/// Signals of this process arrive as something to read while it lives.
class SignalReader {
public:
  SignalReader() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal :
         {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGCHLD})
      sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &before);
    fd = Descriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
      fail(ExitCode::PeerLost, "cannot watch ranks: ", std::strerror(errno));
  }
  ~SignalReader() { sigprocmask(SIG_SETMASK, &before, nullptr); }
  int get() const { return fd.get(); }
  /// The next signal that has arrived, or 0.
  int next() const {
    signalfd_siginfo info;
    return read(fd.get(), &info, sizeof(info)) == sizeof(info)
               ? static_cast<int>(info.ssi_signo)
               : 0;
  }

private:
  Descriptor fd;
  sigset_t before;
};

class Supervisor {
public:
  explicit Supervisor(const LaunchOptions &options) : options(options) {}

  LaunchOutcome run() {
    try {
      start();
    } catch (...) {
      endAll();
      throw;
    }
    while (runningCount() > 0) {
      wait();
      for (int signal; (signal = signals.next());)
        handle(signal);
      for (auto &rank : ranks) {
        rank.pump();
        rank.reap();
      }
      limitTime();
    }
    return outcome();
  }

private:
  void start() {
    std::uint16_t port = freePort();
    std::string count = std::to_string(options.ranks), job = jobName();
    ranks.reserve(options.ranks);
    for (unsigned r = 0; r < options.ranks; ++r) {
      std::string rank = std::to_string(r);
      ranks.emplace_back(
          r, options.arguments,
          std::vector<std::string>{
              "RANK=" + rank, "LOCAL_RANK=" + rank, "WORLD_SIZE=" + count,
              "LOCAL_WORLD_SIZE=" + count, "MASTER_ADDR=127.0.0.1",
              "MASTER_PORT=" + std::to_string(port), "LLAMARUN_JOB=" + job,
              "TORCHELASTIC_USE_AGENT_STORE"},
          r != 0);
    }
  }

  std::size_t runningCount() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        ranks, [](auto &rank) { return rank.running(); }));
  }

  void wait() {
    std::vector<pollfd> fds{{signals.get(), POLLIN, 0}};
    for (auto &rank : ranks)
      for (int pipe : rank.pipes())
        fds.push_back({pipe, POLLIN, 0});
    poll(fds.data(), fds.size(), limit ? pollTime(*limit) : 1000);
  }

  void handle(int signal) {
    if (signal == SIGCHLD)
      return;
    if (signal == SIGTSTP || signal == SIGCONT) {
      // Ranks do not have the terminal: they stop and go on with us.
      sendAll(signal == SIGTSTP ? SIGSTOP : SIGCONT);
      if (signal == SIGTSTP)
        raise(SIGSTOP);
      return;
    }
    if (!toldToEnd)
      toldToEnd = signal;
    sendAll(signal);
    if (++timesTold > 2)
      endAll();
  }

  void sendAll(int signal) {
    for (auto &rank : ranks)
      rank.signal(signal);
  }
  void endAll() {
    for (auto &rank : ranks)
      rank.end();
  }

  /// Once a rank has ended the others have their time, and no more.
  void limitTime() {
    // A code from 128 on is no failure: it stopped at a signal, in its own
    // time.
    bool failed = std::ranges::any_of(ranks, [](auto &rank) {
      return (rank.failed() && rank.exitCode() < 128) || rank.report();
    });
    bool ended = runningCount() < ranks.size();
    auto now = Clock::now();
    if (failed && !hurried) {
      hurried = true;
      limit = now + options.grace;
    } else if (ended && !limit) {
      limit = now + options.patience;
    }
    if (limit && now >= *limit) {
      late = !hurried;
      endAll();
      limit = now + std::chrono::seconds(1); // only to be reaped
    }
  }

  /// The report that counts: ranks report the same failure, if they had met;
  /// a rank's own error says more than that it was lost.
  std::optional<PeerFailure> reported() const {
    std::optional<PeerFailure> best;
    for (auto &rank : ranks)
      if (rank.report() &&
          (!best || (best->code == ExitCode::PeerLost &&
                     rank.report()->code != ExitCode::PeerLost)))
        best = rank.report();
    return best;
  }

  LaunchOutcome outcome() const {
    LaunchOutcome result;
    auto add = [&](const std::string &cause) {
      if (std::ranges::find(result.causes, cause) == result.causes.end())
        result.causes.push_back(cause);
    };
    auto report = reported();
    const bool explained = report.has_value();
    // Before the ranks had met, the others only saw that one did not come.
    if (report && report->rank == PeerFailure::kJob &&
        report->code == ExitCode::PeerLost &&
        std::ranges::any_of(
            ranks, [](auto &rank) { return rank.failed() && rank.endedBy(); }))
      report.reset();
    auto killedBy = [&](unsigned r) {
      return r < ranks.size() && ranks[r].failed() ? ranks[r].endedBy() : 0;
    };
    if (report) {
      result.code = static_cast<int>(report->code);
      if (int signal = killedBy(report->rank))
        report->cause = signalText(signal);
      if (!toldToEnd || report->code != ExitCode::PeerLost)
        add(report->message());
    }
    for (auto &rank : ranks) {
      if (!rank.failed() || (report && report->rank == rank.rank()))
        continue;
      PeerFailure failure;
      failure.rank = rank.rank();
      failure.host = hostName();
      if (int signal = rank.endedBy()) {
        failure.cause = signalText(signal);
      } else if (!explained && rank.exitCode() < 128) {
        failure.cause =
            "ended with exit code " + std::to_string(rank.exitCode());
        failure.code = static_cast<ExitCode>(rank.exitCode());
      } else {
        continue; // a consequence, or it stopped as it was told
      }
      if (!toldToEnd)
        add(failure.message());
      if (!result.code)
        result.code = static_cast<int>(failure.code);
    }
    if (late && !result.code) {
      result.code = static_cast<int>(ExitCode::PeerLost);
      add("some ranks did not end when the others had");
    }
    if (toldToEnd &&
        (!result.code || result.code == static_cast<int>(ExitCode::PeerLost)))
      result.code = 128 + toldToEnd;
    if (!result.code) // told to end, but not by us
      for (auto &rank : ranks)
        result.code = std::max(result.code, rank.exitCode());
    return result;
  }

  const LaunchOptions &options;
  SignalReader signals;
  std::vector<RankProcess> ranks;
  std::optional<Clock::time_point> limit; ///< then the rest is killed
  bool hurried = false, late = false;
  int toldToEnd = 0, timesTold = 0;
};

} // namespace

LaunchOutcome launchRanks(const LaunchOptions &options) {
  return Supervisor(options).run();
}

} // namespace llamarun
