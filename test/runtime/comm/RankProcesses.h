//===- RankProcesses.h - Real processes as ranks, for tests ----*- C++ -*-===//
#pragma once

#include "runtime/comm/World.h"
#include "runtime/support/Error.h"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace llamarun::test {

/// A port of 127.0.0.1 that was free a moment ago.
inline std::uint16_t freePort() {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bind(fd, reinterpret_cast<sockaddr *>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

inline World localWorld(unsigned rank, unsigned size, std::uint16_t port) {
  World world;
  world.rank = world.localRank = rank;
  world.size = world.localSize = size;
  world.masterPort = port;
  world.portCount = 4;
  world.job = "test" + std::to_string(port);
  world.host = "host" + std::to_string(rank);
  return world;
}

/// How a process ended: what it wrote, its exit code or signal.
struct Ending {
  std::string text;
  int code = -1;
  int signal = 0;
  double seconds = 0; ///< since the processes were started
};

/// Forks processes that run a function and send back a text.
class RankProcesses {
public:
  using Body = std::function<std::string()>;

  ~RankProcesses() {
    for (auto &[pid, fd] : running) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      close(fd);
    }
  }

  /// The text that `body` returns; an Error makes its message the text and its
  /// code the exit code. \returns the process.
  pid_t start(const Body &body) {
    int ends[2];
    if (pipe(ends))
      return -1;
    pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      output = ends[1];
      int code = 0;
      std::string text;
      try {
        text = body();
      } catch (const Error &error) {
        text = error.what();
        code = static_cast<int>(error.code());
      } catch (const std::exception &error) {
        text = error.what();
        code = 99;
      }
      if (write(ends[1], text.data(), text.size()) < 0)
        code = 98;
      _exit(code);
    }
    close(ends[1]);
    running[pid] = ends[0];
    order.push_back(pid);
    return pid;
  }

  /// Waits for all, in the order of start(); those still there after `limit`
  /// seconds are killed.
  std::vector<Ending> finish(double limit = 20) {
    std::vector<Ending> endings(order.size());
    for (bool killed = false; !running.empty();) {
      int status = 0;
      pid_t pid = waitpid(-1, &status, WNOHANG);
      auto found = running.find(pid);
      if (found != running.end()) {
        std::size_t index = 0;
        while (order[index] != pid)
          ++index;
        auto &ending = endings[index];
        char buffer[4096];
        for (ssize_t n; (n = read(found->second, buffer, sizeof(buffer))) > 0;)
          ending.text.append(buffer, static_cast<std::size_t>(n));
        close(found->second);
        running.erase(found);
        ending.seconds = elapsed();
        ending.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      } else if (!killed && elapsed() > limit) {
        for (auto &[left, fd] : running)
          kill(left, SIGKILL);
        killed = true;
      } else {
        usleep(2000);
      }
    }
    return endings;
  }

  /// In a body: where its text will be written.
  int output = -1;

  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         begin)
        .count();
  }

private:
  std::chrono::steady_clock::time_point begin =
      std::chrono::steady_clock::now();
  std::map<pid_t, int> running; ///< and the end of its pipe
  std::vector<pid_t> order;
};

} // namespace llamarun::test
