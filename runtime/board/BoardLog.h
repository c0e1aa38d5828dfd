//===- BoardLog.h - A run on TensorBoard -----------------------*- C++ -*-===//
#pragma once

#include "runtime/board/EventFile.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llamarun {

/// What a line of metrics.jsonl shows, with the tags that TensorBoardCallback
/// of Hugging Face's Trainer gives: logging steps train/loss,
/// train/learning_rate, train/grad_norm, train/epoch, ...; evaluations
/// eval/<metric>, eval/runtime, eval/samples_per_second, those of MNLI's
/// mismatched split with "_mm" behind, as run_glue.py has it; at the end
/// train/train_loss, train/train_runtime. Of AdaLoRA's allocations train/rank
/// (of all matrices together), train/rank/<projection> (of all layers) and the
/// histogram train/ranks. Values that are not finite (null) are shown as NaN.
/// \param step out: the step that the line is of.
/// \throws Error(BadInput) if `line` is no such line.
Summary summaryOfLine(std::string_view line, std::uint64_t &step);

/// A Markdown table of settings; nothing in them is taken for markup.
std::string
settingsTable(const std::vector<std::pair<std::string, std::string>> &settings);

/// Writes the lines of metrics.jsonl as events while they come.
class BoardLog {
public:
  /// Starts an event file.
  /// \param clock seconds since 1970. \throws Error(Storage).
  BoardLog(const std::filesystem::path &directory,
           std::function<double()> clock,
           std::function<void(const std::string &)> warn = {});

  /// To be called first. The run goes on after `step` steps (0: it begins) and
  /// has written `metricsSoFar`. What the folder has of that step and later
  /// ones is declared void, and the lines of the step are written again; a
  /// folder that had nothing gets all lines.
  void begin(std::uint64_t step, std::string_view metricsSoFar);

  void text(std::string_view tag, std::string_view markdown);
  /// One line of metrics.jsonl.
  void write(std::string_view line);

  const std::filesystem::path &path() const { return file.path(); }

private:
  std::function<double()> clock;
  bool fresh; ///< the folder had no events
  EventFile file;
};

} // namespace llamarun
