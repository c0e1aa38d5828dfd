#include "runtime/train/MetricsLog.h"

#include "runtime/support/Error.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <utility>

namespace llamarun {

template <typename T> static std::string print(T value) {
  if (!std::isfinite(value))
    return "null";
  char text[64];
  auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

std::string shortest(float value) { return print(value); }
std::string shortest(double value) { return print(value); }

static std::string quote(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', true,
                                   nlohmann::json::error_handler_t::replace);
}

JsonLine &JsonLine::addRaw(std::string_view key, const std::string &json) {
  if (!members.empty())
    members += ", ";
  members += quote(key) + ": " + json;
  return *this;
}

JsonLine &JsonLine::add(std::string_view key, double value) {
  return addRaw(key, shortest(value));
}
JsonLine &JsonLine::add(std::string_view key, float value) {
  return addRaw(key, shortest(value));
}
JsonLine &JsonLine::add(std::string_view key, std::uint64_t value) {
  return addRaw(key, std::to_string(value));
}
JsonLine &JsonLine::add(std::string_view key, std::string_view text) {
  return addRaw(key, quote(text));
}

MetricsLog::MetricsLog(std::filesystem::path where, std::string_view text,
                       std::function<void(const std::string &)> warn)
    : path(std::move(where)), warn(std::move(warn)), kept(text) {
  std::error_code error;
  // A device or a pipe is no file of ours to replace.
  if (std::filesystem::is_regular_file(path, error))
    std::filesystem::remove(path, error);
  file.reset(std::fopen(path.c_str(), "we"));
  if (!file)
    fail(ExitCode::Storage, path.string(), ": ", std::strerror(errno));
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  finish();
}

int MetricsLog::flush() {
  while (!kept.empty()) {
    ssize_t count = ::write(::fileno(file.get()), kept.data(), kept.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0 && (errno == ENOSPC || errno == EDQUOT))
      return errno;
    if (count <= 0)
      fail(ExitCode::Storage, path.string(), ": ", std::strerror(errno));
    written += static_cast<std::uint64_t>(count);
    kept.erase(0, static_cast<std::size_t>(count));
  }
  return 0;
}

void MetricsLog::write(const JsonLine &line) {
  kept += line.str() + "\n";
  if (int error = flush(); error && warn)
    std::exchange(warn, {})(path.string() + ": " + std::strerror(error) +
                            "; lines are kept until there is room");
}

void MetricsLog::finish() {
  if (int error = flush())
    fail(ExitCode::Storage, path.string(), ": ", std::strerror(error));
}

} // namespace llamarun
