//===- BackgroundSaver.h - checkpoint-<step>, beside the steps -*- C++ -*-===//
#pragma once

#include "runtime/convert/OwnParts.h"
#include "runtime/train/Ranks.h"
#include "runtime/train/RunObserver.h"
#include "runtime/train/Saver.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

struct SaverOptions {
  std::filesystem::path run;    ///< the output directory
  std::uint64_t totalLimit = 0; ///< --save-total-limit; 0 = keep all
  std::string baseModel;        ///< of the adapter
  std::uint64_t totalSteps = 0; ///< of the adapter: AdaLoRA's total_step
  /// Rank 0's, from a thread of the saver: a save that failed.
  std::function<void(const std::string &)> warn;
  /// Their onSave() is called, on rank 0; not owned.
  std::vector<RunObserver *> observers;
};

/// Writes `checkpoint-<step>`: what TrainingState.h says, PEFT's adapter files
/// and metrics.jsonl as it was. Each rank writes its own file; when rank 0
/// knows from their reports that all have, it completes the directory and moves
/// it to its place. One save is under way at a time: the loop drains it before
/// it begins the next.
class BackgroundSaver : public Saver {
public:
  /// All ranks together: they agree on a name for what is under construction.
  BackgroundSaver(Session &session, Ranks ranks, SaverOptions options);
  /// Waits for this rank's thread.
  ~BackgroundSaver() override;

  void begin(const TrainingPosition &position,
             const RunningSums &sums) override;
  std::string take() override;
  void deliver(const std::vector<std::string> &all) override;
  void drain() override;
  bool finish() override;

private:
  struct Save {
    Checkpoint checkpoint;
    std::filesystem::path building;
    std::vector<float> kept;          ///< AdaLoRA's mask
    std::vector<std::string> reports; ///< by rank; none yet: empty
    bool told = false;                ///< own report
  };
  std::string write(const Save &save, const OwnParts &own) const;
  void complete(Save &save);
  void tell(const Checkpoint &saved) const;
  void writeAdapter(const Save &save) const;
  void copyMetrics(const Save &save) const;

  Session &session;
  Ranks ranks;
  Grid grid;
  SaverOptions options;
  std::string token;
  std::optional<Save> current;
  std::future<std::string> written; ///< this rank's report
  std::future<bool> completed;      ///< rank 0: whether it is in its place
  bool good = true;
};

} // namespace llamarun
