//===- Resume.h - Which checkpoint a run goes on from ----------*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/train/Ranks.h"
#include "runtime/train/RunSettings.h"
#include "runtime/train/Trainer.h"

#include <filesystem>
#include <string>

namespace llamarun {

/// To standard error; nothing ends for it.
void printWarning(const std::string &text);

/// Refuses an output directory that holds a run, unless it is to be replaced
/// (which BackgroundSaver does when it has something better). Rank 0 calls it.
/// \throws Error(Usage) naming the file that is in the way.
void prepareOutput(const std::filesystem::path &directory, bool overwrite);

/// The flag --resume.
struct ResumeFlag {
  bool given = false;
  std::string where; ///< empty: the output directory

  /// Whether the run that is resumed lies in `output`, and is continued there.
  bool continues(const std::filesystem::path &output) const;

  /// The checkpoint to go on from: `where` itself, or the newest complete one
  /// in it. Incomplete or damaged ones are skipped with a warning. Rank 0
  /// looks, all get its answer; empty if there is none in `output` yet, so that
  /// a job that is always started with --resume begins.
  /// \throws Error(BadInput) if `where` has none.
  std::string choose(const std::filesystem::path &output,
                     const Ranks &ranks) const;

  /// Of the checkpoints of this run (Checkpoint.h), which goes on from what
  /// choose() said. Rank 0 calls it.
  std::uint64_t generation(const std::filesystem::path &output,
                           const std::string &from) const;
};

/// Fills the session from a checkpoint of any layout, and `options` with where
/// the run stood. \throws Error(Usage) naming a seed or setting that is
/// another.
void resumeFrom(const std::string &checkpoint, Session &session,
                const Ranks &ranks, const RunSettings &settings,
                TrainOptions &options);

} // namespace llamarun
