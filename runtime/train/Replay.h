//===- Replay.h - The same steps as a reference run ------------*- C++ -*-===//
#pragma once

#include "runtime/io/PeftAdapter.h"
#include "runtime/train/ReplayTrace.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace llamarun {

struct ReplayOptions {
  std::filesystem::path trace; ///< trace.json
  /// Where init.safetensors, final.safetensors and eval.json are; those that
  /// are missing are not compared. Empty: beside the trace.
  std::filesystem::path init, final, eval;
  /// writeGradients() goes there after the first step; empty: nowhere.
  std::filesystem::path gradients;
  double lossTolerance = 1e-4;     ///< relative, each step
  double gradNormTolerance = 1e-3; ///< relative, each step
  double tensorTolerance = 1e-3; ///< norm of the difference / norm, each tensor
  double logitTolerance = 1e-3;  ///< absolute below 1, relative above
  /// AdaLoRA: triplets with E != 0 here and E = 0 there, or the other way
  /// round, over all steps.
  std::uint64_t maskTolerance = 0;
  /// Examples of each step that replicas take, in order; empty: equal parts one
  /// after another, the last one smaller.
  std::vector<std::uint32_t> shares{};
  std::FILE *out = stdout;
};

/// The largest deviations found; negative: not compared.
struct ReplayReport {
  double loss = 0, gradNorm = 0, learningRate = 0;
  double tensors = -1, logitsBefore = -1, logitsAfter = -1;
  double masks = -1; ///< AdaLoRA: triplets that differ, over all steps
  std::uint64_t totalSteps = 0; ///< of the reference's schedules
  bool passed = true;
};

/// Loads the reference's initial tensors, takes its steps on its ids with its
/// hyperparameters, prints a line a step and one a comparison, and compares.
/// AdaLoRA's ranks follow the plan's schedule, its losses have the regulariser.
/// The session's weights are loaded; its optimizer state is fresh. All ranks of
/// a grid call it: a step of the trace is a global batch. Rank 0 prints and
/// compares tensors; all get the same report.
/// \throws Error(BadInput) for files that do not suit each other or the plan.
ReplayReport replay(Session &session, const ReplayOptions &options,
                    const Ranks &ranks = {});

/// Writes the gradients that the last step left, before clipping, as float32
/// safetensors under the names that PEFT saves the parameters with. A plan that
/// accumulates micro-batches clears them at the end of a step: that is refused.
/// All ranks call it, rank 0 writes.
/// \throws Error(BadInput) for such a plan, Error(Storage) on write errors.
void writeGradients(Session &session, const std::filesystem::path &file,
                    const Ranks &ranks = {});

/// |a - b| / |b|, and |a - b| where b is 0.
double relativeError(double a, double b);

/// The largest norm(a - b) / norm(b) over all tensors.
/// \param name gets the tensor's. \throws Error(BadInput) if names or shapes
/// differ.
double largestTensorError(const AdapterTensors &a, const AdapterTensors &b,
                          std::string &name);

} // namespace llamarun
