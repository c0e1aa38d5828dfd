//===- Glue.h - The GLUE tasks and their files ------------------*- C++ -*-===//
//
// Facts of the files: the official distribution as GLUE's download script lays
// it out; huggingface/datasets (datasets/glue/glue.py) for label ids and for
// which rows are dropped. GlueTable.cpp holds the one table of tasks.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

enum class GlueTask { Cola, Sst2, Mrpc, Stsb, Qqp, Mnli, Qnli, Rte, Wnli, Ax };

/// MNLI's Dev and Test are the matched ones; only it has mismatched ones.
enum class Split { Train, Dev, DevMismatched, Test, TestMismatched };

/// What stands where in one split. A column is named by the header, or, in
/// files without one (CoLA's train and dev), counted from 0.
struct GlueColumns {
  bool hasHeader = true;
  std::string_view a, b, label;     ///< names; b or label empty: there is none
  int aIndex = -1, labelIndex = -1; ///< only without a header
};

struct GlueTaskInfo {
  GlueTask task;
  std::string_view name;                 ///< as Hugging Face has it: "sst2"
  std::vector<std::string_view> folders; ///< as shipped: "SST-2"
  /// Names of the labels 0, 1, ...; empty for regression.
  std::vector<std::string_view> labelNames;
  /// How the files and the leaderboard write them.
  std::vector<std::string_view> labelTexts;
  bool isRegression = false;
  bool hasPair = false;
  bool skipsShortRows = false; ///< QQP: rows with missing columns are dropped
  std::vector<std::string_view> metrics; ///< names as the evaluate library's
  std::string_view submissionFile;       ///< "SST-2.tsv"
  std::string_view submissionFileMismatched; ///< MNLI only

  /// Outputs of the head: 1 for regression.
  int headSize() const {
    return isRegression ? 1 : static_cast<int>(labelNames.size());
  }
};

/// All tasks, in the order of the enum.
std::span<const GlueTaskInfo> glueTasks();
const GlueTaskInfo &glueTask(GlueTask task);
/// The task called `name` ("sst2"); null if there is none.
const GlueTaskInfo *findGlueTask(std::string_view name);

/// "train", "dev", "dev_mismatched", ... as messages and metric lines have it
/// (MNLI: "dev_matched").
std::string_view splitName(GlueTask task, Split split);
/// The splits a task has, for example only Test for AX.
bool hasSplit(GlueTask task, Split split);
/// Names of the file that holds a split; the first that exists is read.
std::vector<std::string_view> splitFiles(GlueTask task, Split split);
GlueColumns splitColumns(GlueTask task, Split split);

struct Example {
  /// Kept as they are in the file, with SST-2's trailing space: Hugging Face
  /// does not strip either, and the pooled token depends on it.
  std::string a, b;
  /// The label's id, or the score in [0, 5]; NaN if the split has no labels.
  float label = std::numeric_limits<float>::quiet_NaN();
  int line = 0; ///< in the file, from 1
  bool hasPair = false;
};

struct GlueData {
  std::vector<Example> examples;
  std::filesystem::path file;
  size_t skipped = 0; ///< short rows that were dropped
};

/// Reads one split. `root` is the folder that holds SST-2/, MRPC/, ... or the
/// task's own folder. Fields are what lies between tabs, no quoting; a byte
/// order mark, CRLF, a missing last newline and blank lines at the end are
/// fine, columns beyond those needed are ignored. Throws BadInput: "file:line:
/// ..." for a row that lacks columns (dropped and counted in QQP's train and
/// dev, and what is blank there too), a blank line between rows, a label that
/// is none, NUL and invalid UTF-8; "file:1: ..." for a header without a needed
/// column; and if the file is absent or holds no rows.
GlueData readGlue(const std::filesystem::path &root, GlueTask task,
                  Split split);

} // namespace llamarun
