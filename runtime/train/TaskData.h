//===- TaskData.h - The examples of a plan's task --------------*- C++ -*-===//
#pragma once

#include "runtime/data/Batch.h"
#include "runtime/data/Glue.h"
#include "runtime/data/Tokenizer.h"
#include "runtime/plan/Plan.h"
#include "runtime/train/Dataset.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

/// The head of a plan in the words of runtime/data.
HeadKind headOf(const Plan &plan);

/// Cuts trailing `pad` ids, down to one token. Transformers' sequence
/// classifiers pool at the rightmost token that is not config.pad_token_id
/// (modeling_layers.py, GenericForSequenceClassification), even if it is part
/// of the text; what follows the pooled token has no effect on it.
void cutPadding(std::vector<std::int32_t> &ids, std::int32_t pad);

/// `pad_token_id` of the directory's config.json; nothing where it is missing,
/// null or negative. \throws Error(BadInput) if config.json is malformed.
std::optional<std::int32_t> padTokenOf(const std::filesystem::path &weights);

/// Reads and tokenizes what a plan trains on and is evaluated on.
class TaskData {
public:
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

  /// \param weights Hugging Face directory: tokenizer and config.json.
  /// \param data folder with GLUE's folders or one task's own; for causal LM a
  ///   .txt file, a folder with train.txt, dev.txt, test.txt, or SST-2's.
  /// \param threads for tokenizing; 0 = one per hardware thread.
  /// \param progress called now and then by the calling thread of load().
  /// \throws Error(BadInput), also if the plan's task and head do not agree.
  TaskData(std::shared_ptr<const Plan> plan,
           const std::filesystem::path &weights, std::filesystem::path data,
           unsigned threads, std::function<void()> progress = {});

  /// Null for causal LM.
  const GlueTaskInfo *glue() const { return task; }

  /// What the task is evaluated on: dev; MNLI's two; none for AX and for a
  /// single text file.
  std::vector<Split> evaluationSplits() const;
  /// What predictions are wanted for: test; MNLI's two.
  std::vector<Split> testSplits() const;

  /// Tokenizes a split, at most `maxSamples` rows of it. Sequences are cut to
  /// the plan's max_length, pairs longest first. For causal LM rows are lines,
  /// those of less than two tokens are left out.
  /// \throws Error(BadInput) naming file and line.
  Dataset load(Split split, std::size_t maxSamples = kAll) const;

private:
  struct Row {
    std::string a, b;
    bool hasPair;
    int line;
  };
  struct Text;
  Text readText(Split split, std::size_t maxSamples) const;
  Text readLines(const std::filesystem::path &file, std::size_t most) const;
  void encode(const Text &text, std::size_t first, std::size_t last,
              Dataset &out) const;

  std::shared_ptr<const Plan> plan;
  std::unique_ptr<Tokenizer> tokenizer;
  std::filesystem::path data;
  const GlueTaskInfo *task = nullptr;
  std::optional<std::int32_t> pad;
  unsigned threads;
  std::function<void()> progress;
};

} // namespace llamarun
