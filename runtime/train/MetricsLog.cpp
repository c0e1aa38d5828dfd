#include "runtime/train/MetricsLog.h"

#include "runtime/support/Error.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

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

MetricsLog::MetricsLog(std::filesystem::path file)
    : path(std::move(file)), file(std::fopen(path.c_str(), "we")) {
  if (!this->file)
    fail(ExitCode::Storage, path.string(), ": ", std::strerror(errno));
}

void MetricsLog::write(const JsonLine &line) {
  std::string text = line.str() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()))
    fail(ExitCode::Storage, path.string(), ": ", std::strerror(errno));
}

} // namespace llamarun
