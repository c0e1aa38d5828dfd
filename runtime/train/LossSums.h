//===- LossSums.h - Losses between the lines of metrics.jsonl --*- C++ -*-===//
#pragma once

#include "runtime/io/Checkpoint.h"
#include "runtime/train/ProgramRunner.h"
#include "runtime/train/Ranks.h"

#include <cstdint>

namespace llamarun {

/// Sums of a run's losses. They are the same on all ranks, but for the share of
/// this replica's own micro-batches, which the others do not know until
/// collect().
class LossSums {
public:
  /// \param ownShares whether steps have micro-batches that only this replica
  ///   knows of: one a step is what the plan itself adds up.
  LossSums(const Ranks &ranks, bool ownShares)
      : ranks(ranks), ownShares(ownShares && ranks.dataRanks() > 1) {}

  /// Goes on from those of a run of any layout.
  void restore(RunningSums from);
  /// Fills in loss, taskLoss, allLoss, count and shares.
  void store(RunningSums &sums) const;

  void add(const StepResult &result);
  /// Whether collect() exchanges.
  bool exchanges() const { return ownShares; }
  /// Completes the sums. All ranks call it together.
  void collect();

  /// Means since the last call of restart(); not finite if a loss was not.
  double meanLoss() const { return loss / static_cast<double>(count); }
  double meanTaskLoss() const { return taskLoss / static_cast<double>(count); }
  /// A line has been written.
  void restart();
  /// Of all steps.
  double total() const { return allLoss; }

private:
  const Ranks &ranks;
  bool ownShares;
  double loss = 0, taskLoss = 0; ///< since restart()
  double allLoss = 0;            ///< over the whole run
  double share = 0;              ///< not yet in the three
  std::uint64_t count = 0;       ///< steps since restart()
};

} // namespace llamarun
