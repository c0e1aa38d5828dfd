#include "runtime/board/EventFile.h"

#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace llamarun {

namespace fs = std::filesystem;

static constexpr std::string_view kPrefix = "events.out.tfevents.";

/// The event file that readers take last, or "".
static std::string lastIn(const fs::path &directory) {
  std::string last;
  std::error_code error;
  for (auto &entry : fs::directory_iterator(directory, error))
    if (auto name = entry.path().filename().string(); name.starts_with(kPrefix))
      last = std::max(last, name);
  return last;
}

bool holdsEvents(const fs::path &directory) {
  return !lastIn(directory).empty();
}

/// The name of this host; of no use but to tell files apart.
static std::string hostName() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0 || !*name)
    return "host";
  std::string text = name;
  std::ranges::replace(text, '/', '_');
  return text;
}

EventFile::EventFile(const fs::path &directory, double seconds,
                     std::function<void(const std::string &)> warn)
    : warn(std::move(warn)) {
  makeDirectories(directory);
  const std::string last = lastIn(directory);
  auto second = static_cast<long long>(seconds);
  if (!last.empty())
    second = std::max(second,
                      std::strtoll(last.c_str() + kPrefix.size(), nullptr, 10));
  for (; !stream; ++second) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%010lld", second);
    std::string name = std::string(kPrefix) + digits + "." + hostName() + "." +
                       std::to_string(::getpid()) + ".0";
    if (name <= last)
      continue;
    file = directory / name;
    stream.reset(std::fopen(file.c_str(), "wxe"));
    if (!stream && errno != EEXIST)
      fail(ExitCode::Storage, file.string(), ": ", std::strerror(errno));
  }
  std::setvbuf(stream.get(), nullptr, _IONBF, 0);
  write(versionEvent(seconds));
}

void EventFile::write(std::string_view event) {
  kept += tfRecord(event);
  while (!kept.empty()) {
    ssize_t count = ::write(::fileno(stream.get()), kept.data(), kept.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      if (warn)
        std::exchange(warn, {})(file.string() + ": " + std::strerror(errno) +
                                "; events are kept until there is room");
      return;
    }
    kept.erase(0, static_cast<std::size_t>(count));
  }
}

} // namespace llamarun
