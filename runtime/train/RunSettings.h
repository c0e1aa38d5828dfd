//===- RunSettings.h - What a run must share to go on ----------*- C++ -*-===//
#pragma once

#include "runtime/train/Trainer.h"

#include <map>
#include <string>

namespace llamarun {

/// By the flag that sets it, or a few words; values as text.
using RunSettings = std::map<std::string, std::string>;

/// Everything that the steps of a run depend on, but for its seeds (which a
/// checkpoint has besides), its model (by its hash), its layout (any will do)
/// and its length (TotalSteps).
RunSettings settingsOf(const Plan &plan, const TrainOptions &options,
                       const Dataset &training);

/// The setting that may differ: a run may be made longer or shorter.
inline constexpr char kTotalSteps[] = "steps";

/// \param from the checkpoint, for messages; settings of it that this build
///   does not know are ignored, and so are all if it has none.
/// \returns a warning if the length differs; empty if nothing does.
/// \throws Error(Usage) naming the flag, its value there and here.
std::string requireSameSettings(const std::string &from,
                                const RunSettings &theirs,
                                const RunSettings &ours);

} // namespace llamarun
