//===- RunObserver.h - Whoever wants to know how a run goes ----*- C++ -*-===//
//
// metrics.jsonl, and what else is told of a run while it goes on. The moments
// are those of Hugging Face's TrainerCallback.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/train/Evaluate.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llamarun {

/// What every moment of a run has.
struct RunMoment {
  std::uint64_t step = 0; ///< optimizer steps done, of the whole run
  double epoch = 0;       ///< the same in epochs
};

struct LoggedStep : RunMoment {
  double loss = 0;                       ///< mean since the last line
  std::optional<double> taskLoss{};      ///< AdaLoRA: without its regulariser
  std::optional<std::uint64_t> budget{}; ///< AdaLoRA: triplets to keep
  float gradNorm = 0, learningRate = 0;  ///< of this step
  std::uint64_t tokens = 0;              ///< since the first step
  double seconds = 0;                    ///< in steps, since the first
};

/// AdaLoRA has distributed its budget anew.
struct AllocatedRanks : RunMoment {
  std::uint64_t budget = 0;
  std::vector<std::pair<std::string, std::uint32_t>> ranks; ///< by module
};

struct RunEnd : RunMoment {
  float loss = 0; ///< mean of all steps
  std::uint64_t tokens = 0;
  int signal = 0;     ///< that ended it early, or 0
  double seconds = 0; ///< by the clock, since the first step
};

/// Told on rank 0 alone, by the training loop's thread, which waits: whoever
/// takes long does it in a thread of its own. What is thrown ends the run.
class RunObserver {
public:
  virtual ~RunObserver() = default;

  virtual void onLog(const LoggedStep &) {}
  virtual void onAllocate(const AllocatedRanks &) {}
  /// One split.
  virtual void onEvaluate(const RunMoment &, const Evaluation &) {}
  virtual void onEnd(const RunEnd &) {}
  /// A checkpoint is complete, in its place and flushed; older ones beyond
  /// --save-total-limit are gone. From a thread of the saver, at any time
  /// until train() returns; an exception is a warning.
  /// \param directory `<output>/checkpoint-<step>`.
  virtual void onSave(std::uint64_t step,
                      const std::filesystem::path &directory) {
    (void)step, (void)directory;
  }
};

} // namespace llamarun
