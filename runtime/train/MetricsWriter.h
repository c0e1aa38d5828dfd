//===- MetricsWriter.h - The lines of metrics.jsonl ------------*- C++ -*-===//
#pragma once

#include "runtime/train/MetricsLog.h"
#include "runtime/train/RunObserver.h"

namespace llamarun {

/// Makes a line of everything that is told: docs/cli.md lists their members.
class LineObserver : public RunObserver {
public:
  void onLog(const LoggedStep &step) override;
  void onAllocate(const AllocatedRanks &allocated) override;
  void onEvaluate(const RunMoment &moment, const Evaluation &result) override;
  void onEnd(const RunEnd &end) override;

protected:
  virtual void write(const JsonLine &line) = 0;
};

/// Writes them to metrics.jsonl.
class MetricsWriter : public LineObserver {
public:
  /// Arguments and errors are those of MetricsLog.
  MetricsWriter(std::filesystem::path file, std::string_view text,
                std::function<void(const std::string &)> warn)
      : log(std::move(file), text, std::move(warn)) {}

  std::uint64_t bytes() const { return log.bytes(); }
  /// MetricsLog::finish(). Not onEnd()'s: the last checkpoint comes between.
  void finish() { log.finish(); }

private:
  void write(const JsonLine &line) override { log.write(line); }
  MetricsLog log;
};

} // namespace llamarun
