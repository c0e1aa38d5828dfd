//===- MetricsLog.h - metrics.jsonl ----------------------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
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
/// when write() returns.
class MetricsLog {
public:
  /// Starts the file anew. \throws Error(Storage).
  explicit MetricsLog(std::filesystem::path file);
  /// \throws Error(Storage), also when the disk is full.
  void write(const JsonLine &line);

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  std::filesystem::path path;
  std::unique_ptr<std::FILE, Close> file;
};

} // namespace llamarun
