//===- MetricsWriter.h - The lines of metrics.jsonl ------------*- C++ -*-===//
#pragma once

#include "runtime/train/MetricsLog.h"
#include "runtime/train/RunObserver.h"

namespace llamarun {

/// Writes a line for everything that is told: docs/cli.md lists their members.
class MetricsWriter : public RunObserver {
public:
  /// Arguments and errors are those of MetricsLog.
  MetricsWriter(std::filesystem::path file, std::string_view text,
                std::function<void(const std::string &)> warn)
      : log(std::move(file), text, std::move(warn)) {}

  void onLog(const LoggedStep &step) override;
  void onAllocate(const AllocatedRanks &allocated) override;
  void onEvaluate(const RunMoment &moment, const Evaluation &result) override;
  void onEnd(const RunEnd &end) override;

  std::uint64_t bytes() const { return log.bytes(); }
  /// MetricsLog::finish(). Not onEnd()'s: the last checkpoint comes between.
  void finish() { log.finish(); }

private:
  MetricsLog log;
};

} // namespace llamarun
