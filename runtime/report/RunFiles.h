//===- RunFiles.h - A run as its output directory tells it -----*- C++ -*-===//
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace llamarun {

/// A value at a step; NaN where metrics.jsonl has null.
struct Point {
  std::uint64_t step = 0;
  double value = 0;
};

/// Points by the name of the value, in the order in which names were first met.
struct SeriesSet {
  std::vector<std::pair<std::string, std::vector<Point>>> all;
  std::vector<Point> &operator[](const std::string &name);
  const std::vector<Point> *find(const std::string &name) const;
};

struct Run {
  std::string name; ///< the directory's
  /// Of logging steps by their keys ("loss", ...), with "throughput" in tokens
  /// a second between two lines; of allocations "rank" and "rank/<projection>".
  SeriesSet training;
  SeriesSet evaluation; ///< "<split> <metric>"
  /// The newest allocation's, as metrics.jsonl has them, and its step.
  nlohmann::ordered_json ranks;
  std::uint64_t ranksStep = 0;
  /// The last line of a run that ended.
  nlohmann::ordered_json end;
  /// run.json; null for runs that have none.
  nlohmann::ordered_json record;
  std::uint64_t lastStep = 0;
};

/// Reads metrics.jsonl, and run.json if there is one.
/// \param path an output directory, or a metrics.jsonl. A last line without
///   its newline is one that is being written, and left out.
/// \throws Error(BadInput) naming file and line.
Run readRun(const std::filesystem::path &path);

} // namespace llamarun
