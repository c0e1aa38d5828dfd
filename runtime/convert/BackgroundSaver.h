//===- BackgroundSaver.h - checkpoint-<step>, beside the steps -*- C++ -*-===//
#pragma once

#include "runtime/convert/OwnParts.h"
#include "runtime/train/Ranks.h"
#include "runtime/train/RunObserver.h"
#include "runtime/train/Saver.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace llamarun {

struct SaverOptions {
  std::filesystem::path run;    ///< the output directory
  std::uint64_t totalLimit = 0; ///< --save-total-limit; 0 = keep all
  std::string baseModel;        ///< of the adapter
  std::uint64_t totalSteps = 0; ///< of the adapter: AdaLoRA's total_step
  /// Of every checkpoint (Checkpoint.h).
  std::map<std::string, std::string> settings;
  std::uint64_t generation = 0;
  /// Those of generations before this one are removed as soon as there is one
  /// of this.
  bool replaces = false;
  /// Host memory for copies that wait for the disk, on each rank; one may
  /// always wait.
  std::uint64_t waitingBytes = std::uint64_t(1) << 30;
  /// Rank 0's, from any thread: a save that failed, or was left out.
  std::function<void(const std::string &)> warn;
  /// Their onSave() is called, on rank 0; not owned.
  std::vector<RunObserver *> observers;
};

/// Writes `checkpoint-<step>`: what TrainingState.h says, PEFT's adapter files
/// and metrics.jsonl as it was. Each rank writes its own file; when rank 0
/// knows from their reports that all have, it completes the directory and moves
/// it to its place. One save is written at a time, in the order of begin();
/// when there is no room for another copy, the one that has waited longest is
/// left out, with a warning.
///
/// Which save is next, and which is left out, depends only on the calls and on
/// what deliver() brought: it is the same on all ranks.
class BackgroundSaver : public Saver {
public:
  /// All ranks together: they agree on a name for what is under construction.
  BackgroundSaver(Session &session, Ranks ranks, SaverOptions options);
  /// Waits for this rank's threads.
  ~BackgroundSaver() override;

  void begin(const TrainingPosition &position, const RunningSums &sums,
             bool urgent = false) override;
  std::string take() override;
  void deliver(const std::vector<std::string> &all) override;
  bool finish() override;

private:
  struct Save {
    Checkpoint checkpoint;
    std::filesystem::path building;
    OwnParts own;
    std::future<void> fetched;        ///< of `own`, from the device
    std::vector<float> kept;          ///< AdaLoRA's mask
    std::vector<std::string> reports; ///< by rank; none yet: empty
    bool told = false;                ///< own report
  };
  void leaveOut(std::size_t most);
  void startNext();
  std::string write(Save &save) const;
  bool completeAndTell();
  void complete(Save &save);
  void tell(const Checkpoint &saved) const;
  void writeAdapter(const Save &save) const;
  void copyMetrics(const Save &save) const;
  template <typename T> void await(const std::future<T> &future) const;

  Session &session;
  Ranks ranks;
  Grid grid;
  SaverOptions options;
  std::string token;
  std::size_t mostWaiting = 1;
  std::deque<std::unique_ptr<Save>> waiting; ///< the oldest first
  std::unique_ptr<Save> current;
  OwnParts spare;                   ///< memory of a save that is written
  std::future<std::string> written; ///< this rank's report
  std::future<bool> completed;      ///< rank 0: whether it is in its place
  bool good = true;                 ///< the last one
};

} // namespace llamarun
