//===- ReplayTrace.h - What a reference run did, step by step --*- C++ -*-===//
//
// Written by scripts/make_goldens.py: trace.json and eval.json of a run with
// Transformers and PEFT; test/golden/README.md has the layout.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/train/Dataset.h"
#include "runtime/train/ProgramRunner.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace llamarun {

/// Which triplets of AdaLoRA a step left with E != 0, by module.
using ReplayMasks = std::map<std::string, std::vector<bool>, std::less<>>;

struct ReplayStep {
  std::vector<std::uint32_t> examples; ///< of ReplayTrace.data
  double loss = 0, gradNorm = 0, learningRate = 0;
  ReplayMasks kept; ///< empty: the trace has none
};

struct ReplayTrace {
  Hyper hyper;
  Dataset data; ///< all rows of all steps
  std::vector<ReplayStep> steps;
};

/// Rows of ids and the reference's logits of each: [labels], or the first few
/// of the last token's for causal LM.
struct ReplayLogits {
  Dataset data; ///< without labels
  std::vector<std::vector<float>> before, after;
};

/// Reads trace.json.
/// \param classifier rows lose trailing pad ids: the reference pools at the
///   last token that is none (cutPadding()).
/// \throws Error(BadInput) naming file, step and key.
ReplayTrace readReplayTrace(const std::filesystem::path &file, bool classifier);

/// Reads eval.json. \param pad as in trace.json; negative: rows stay as they
/// are.
ReplayLogits readReplayLogits(const std::filesystem::path &file,
                              std::int32_t pad);

/// `pad_token_id` of trace.json, -1 if it has none.
std::int32_t readReplayPad(const std::filesystem::path &file);

} // namespace llamarun
