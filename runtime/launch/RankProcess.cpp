#include "runtime/launch/RankProcess.h"

#include "runtime/launch/Launcher.h"
#include "runtime/support/Error.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace llamarun {

static constexpr const char *kReportVariable = "LLAMARUN_REPORT_FD";

namespace {

struct Pipe {
  Descriptor read, write;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
      fail(ExitCode::PeerLost, "cannot start ranks: ", std::strerror(errno));
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
};

std::vector<char *> pointers(std::vector<std::string> &texts) {
  std::vector<char *> result;
  for (auto &text : texts)
    result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// This process's environment with `variables` instead of its own.
std::vector<std::string>
environmentWith(const std::vector<std::string> &variables) {
  std::vector<std::string> result;
  auto nameOf = [](const std::string &text) {
    return text.substr(0, text.find('='));
  };
  for (char **entry = environ; *entry; ++entry) {
    bool replaced = false;
    for (auto &variable : variables)
      replaced |= nameOf(variable) == nameOf(*entry);
    if (!replaced)
      result.push_back(*entry);
  }
  for (auto &variable : variables)
    if (variable.find('=') != variable.npos)
      result.push_back(variable);
  return result;
}

} // namespace

RankProcess::RankProcess(unsigned rank,
                         const std::vector<std::string> &arguments,
                         const std::vector<std::string> &variables, bool tagged)
    : number(rank), outLines("[rank " + std::to_string(rank) + "] "),
      errorLines("[rank " + std::to_string(rank) + "] ") {
  // Everything that allocates comes before fork().
  Pipe outPipe, errorPipe, reportPipe;
  std::vector<std::string> all = variables;
  all.push_back(std::string(kReportVariable) + "=" +
                std::to_string(reportPipe.write.get()));
  auto argv = arguments;
  auto environment = environmentWith(all);
  auto argvPointers = pointers(argv);
  auto environmentPointers = pointers(environment);
  pid_t parent = getpid();
  pid = fork();
  if (pid < 0)
    fail(ExitCode::PeerLost, "cannot start rank ", rank, ": ",
         std::strerror(errno));
  if (pid == 0) {
    // No rank outlives the one that started it, however that ends.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
      _exit(1);
    // Out of the terminal's group: its Ctrl-C is passed on, once.
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (tagged) {
      int null = open("/dev/null", O_RDONLY);
      if (null >= 0)
        dup2(null, 0);
      dup2(outPipe.write.get(), 1);
      dup2(errorPipe.write.get(), 2);
    }
    fcntl(reportPipe.write.get(), F_SETFD, 0);
    execve("/proc/self/exe", argvPointers.data(), environmentPointers.data());
    _exit(127);
  }
  if (tagged) {
    out = std::move(outPipe.read);
    error = std::move(errorPipe.read);
  }
  reports = std::move(reportPipe.read);
}

static void writeAll(int to, std::string_view text) {
  if (text.empty())
    return;
  // A line left of a progress bar on the terminal is taken away first.
  std::string bytes = isatty(to) ? "\r\x1b[K" : "";
  bytes += text;
  for (std::size_t done = 0; done < bytes.size();) {
    ssize_t count = write(to, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno != EINTR)
      return; // nobody reads it any more
    done += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
}

void RankProcess::signal(int signal) {
  if (running())
    kill(pid, signal);
}

void RankProcess::end() {
  if (!running())
    return;
  killed = true;
  kill(pid, SIGKILL);
}

void RankProcess::reap() {
  int status = 0;
  if (!running() || waitpid(pid, &status, WNOHANG) != pid)
    return;
  pid = -1;
  code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  signalNumber = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  pump();
  writeAll(1, outLines.end());
  writeAll(2, errorLines.end());
  // Something that it started may hold the other ends still.
  for (auto *end : {&out, &error, &reports})
    *end = Descriptor();
}

std::vector<int> RankProcess::pipes() const {
  std::vector<int> result;
  for (auto *end : {&out, &error, &reports})
    if (*end)
      result.push_back(end->get());
  return result;
}

void RankProcess::pumpLines(Descriptor &from, LinePrefix &prefix, int to) {
  char buffer[16 << 10];
  while (from) {
    ssize_t count = read(from.get(), buffer, sizeof(buffer));
    if (count < 0)
      return;
    if (count == 0)
      from = Descriptor();
    writeAll(to, prefix.add({buffer, static_cast<std::size_t>(count)}));
  }
}

void RankProcess::pump() {
  pumpLines(out, outLines, 1);
  pumpLines(error, errorLines, 2);
  char buffer[4096];
  while (reports) {
    ssize_t count = read(reports.get(), buffer, sizeof(buffer));
    if (count < 0)
      return;
    if (count == 0) {
      reports = Descriptor();
      return;
    }
    parser.append(buffer, static_cast<std::size_t>(count));
    try {
      while (auto frame = parser.next(kGreetingLimit)) {
        WireReader from(frame->body);
        auto failure = readFailure(from);
        if (!reported)
          reported = failure;
      }
    } catch (const MessageError &) {
      reports = Descriptor(); // not one of ours
    }
  }
}

bool reportToLauncher(const PeerFailure &failure) {
  const char *text = std::getenv(kReportVariable);
  if (!text)
    return false;
  int fd = std::atoi(text);
  WireWriter message(MessageKind::Report);
  putFailure(message, failure);
  auto bytes = message.frame();
  return fd > 2 && write(fd, bytes.data(), bytes.size()) ==
                       static_cast<ssize_t>(bytes.size());
}

} // namespace llamarun
