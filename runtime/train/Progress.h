//===- Progress.h - What a person sees while it trains ---------*- C++ -*-===//
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace llamarun {

struct ProgressState {
  std::uint64_t step = 0, totalSteps = 0;
  double epoch = 0;
  double loss = 0;
  double gradNorm = 0;
  double learningRate = 0;
  /// AdaLoRA: triplets to keep, over all matrices.
  std::optional<std::uint64_t> budget{};
  std::uint64_t tokens = 0; ///< since the start
};

/// A bar that is redrawn in place on a terminal; where there is none, plain
/// lines, one a logging step.
class Progress {
public:
  /// \param bar shows it if it is a terminal (standard error, as a rule).
  /// \param lines gets the plain lines, unless it would be the same terminal.
  /// Null shows nothing: ranks other than the first.
  Progress(std::FILE *bar, std::FILE *lines);
  ~Progress() { clear(); }

  /// After every step; redraws at most ten times a second.
  void update(const ProgressState &state);
  /// At logging steps: a line, where there is no bar.
  void log(const ProgressState &state);
  /// Removes the bar, so that something else can be printed.
  void clear();

private:
  double elapsed() const;
  std::FILE *bar, *lines;
  bool showsBar, showsLines;
  bool drawn = false;
  std::chrono::steady_clock::time_point start, last;
};

/// "[#####-----]  120/2105  loss 0.6931  5180 tokens/s  ETA 0:42"
std::string progressBar(const ProgressState &state, double seconds);
/// "step 120/2105  epoch 0.06  loss 0.6931  grad_norm 1.2  lr 5e-05  ..."
std::string progressLine(const ProgressState &state, double seconds);
/// "0:42", "1:02:03"
std::string durationText(double seconds);

} // namespace llamarun
