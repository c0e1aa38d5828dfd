//===- MetricsLog.h - metrics.jsonl ----------------------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace llamarun {

/// The shortest decimal that reads back as the same number: "0.1", "5e-05";
/// "null" if it is not finite, which JSON cannot say.
std::string shortest(float value);
std::string shortest(double value);

/// One JSON object on one line, members in the order they are added. By
/// convention values of the clock are only in "seconds" and "..._per_second":
/// without those two runs of the same plan, seed and data give the same bytes.
class JsonLine {
public:
  JsonLine &add(std::string_view key, double value);
  JsonLine &add(std::string_view key, float value);
  JsonLine &add(std::string_view key, std::uint64_t value);
  JsonLine &add(std::string_view key, std::string_view text);
  /// A value that is JSON already.
  JsonLine &addRaw(std::string_view key, const std::string &json);
  /// "{...}" without a newline.
  std::string str() const { return std::string("{").append(members) + "}"; }

private:
  std::string members;
};

/// metrics.jsonl of an output directory: every line is on its way to the disk
/// when write() returns, unless the disk is full. Then lines are kept until
/// there is room: a run does not end for them before its end.
class MetricsLog {
public:
  /// Starts the file with `text`: what another run, which this one continues,
  /// had written. A file that is there is replaced, not changed: a process
  /// that still writes to it does no harm.
  /// \param warn told once that lines are kept. \throws Error(Storage).
  explicit MetricsLog(std::filesystem::path file, std::string_view text = {},
                      std::function<void(const std::string &)> warn = {});
  /// \throws Error(Storage), but not for lack of space.
  void write(const JsonLine &line);
  /// \throws Error(Storage) if there are lines for which there is no space.
  void finish();
  /// Of all lines so far.
  std::uint64_t bytes() const { return written + kept.size(); }

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  /// Writes what is kept. Returns errno's value for lack of space, or 0.
  int flush();

  std::filesystem::path path;
  std::function<void(const std::string &)> warn;
  std::unique_ptr<std::FILE, Close> file; ///< unbuffered
  std::string kept;
  std::uint64_t written = 0;
};

} // namespace llamarun
