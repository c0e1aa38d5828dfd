//===- GlueTable.cpp - The one table of GLUE tasks ------------------------===//

#include "runtime/data/Glue.h"

#include "runtime/support/Error.h"

namespace llamarun {

static const std::vector<GlueTaskInfo> &table() {
  // NLI tasks write labels as words, the others as numbers.
  static const std::vector<GlueTaskInfo> tasks = {
      {.task = GlueTask::Cola,
       .name = "cola",
       .folders = {"CoLA"},
       .labelNames = {"unacceptable", "acceptable"},
       .labelTexts = {"0", "1"},
       .metrics = {"matthews_correlation"},
       .submissionFile = "CoLA.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Sst2,
       .name = "sst2",
       .folders = {"SST-2"},
       .labelNames = {"negative", "positive"},
       .labelTexts = {"0", "1"},
       .metrics = {"accuracy"},
       .submissionFile = "SST-2.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Mrpc,
       .name = "mrpc",
       .folders = {"MRPC"},
       .labelNames = {"not_equivalent", "equivalent"},
       .labelTexts = {"0", "1"},
       .hasPair = true,
       .metrics = {"accuracy", "f1"},
       .submissionFile = "MRPC.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Stsb,
       .name = "stsb",
       .folders = {"STS-B"},
       .labelNames = {},
       .labelTexts = {},
       .isRegression = true,
       .hasPair = true,
       .metrics = {"pearson", "spearmanr"},
       .submissionFile = "STS-B.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Qqp,
       .name = "qqp",
       .folders = {"QQP"},
       .labelNames = {"not_duplicate", "duplicate"},
       .labelTexts = {"0", "1"},
       .hasPair = true,
       .skipsShortRows = true,
       .metrics = {"accuracy", "f1"},
       .submissionFile = "QQP.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Mnli,
       .name = "mnli",
       .folders = {"MNLI"},
       .labelNames = {"entailment", "neutral", "contradiction"},
       .labelTexts = {"entailment", "neutral", "contradiction"},
       .hasPair = true,
       .metrics = {"accuracy"},
       .submissionFile = "MNLI-m.tsv",
       .submissionFileMismatched = "MNLI-mm.tsv"},
      {.task = GlueTask::Qnli,
       .name = "qnli",
       .folders = {"QNLI"},
       .labelNames = {"entailment", "not_entailment"},
       .labelTexts = {"entailment", "not_entailment"},
       .hasPair = true,
       .metrics = {"accuracy"},
       .submissionFile = "QNLI.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Rte,
       .name = "rte",
       .folders = {"RTE"},
       .labelNames = {"entailment", "not_entailment"},
       .labelTexts = {"entailment", "not_entailment"},
       .hasPair = true,
       .metrics = {"accuracy"},
       .submissionFile = "RTE.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Wnli,
       .name = "wnli",
       .folders = {"WNLI"},
       .labelNames = {"not_entailment", "entailment"},
       .labelTexts = {"0", "1"},
       .hasPair = true,
       .metrics = {"accuracy"},
       .submissionFile = "WNLI.tsv",
       .submissionFileMismatched = {}},
      {.task = GlueTask::Ax,
       .name = "ax",
       .folders = {"AX", "diagnostic"},
       .labelNames = {"entailment", "neutral", "contradiction"},
       .labelTexts = {"entailment", "neutral", "contradiction"},
       .hasPair = true,
       .metrics = {"matthews_correlation"},
       .submissionFile = "AX.tsv",
       .submissionFileMismatched = {}},
  };
  return tasks;
}

std::span<const GlueTaskInfo> glueTasks() { return table(); }

const GlueTaskInfo &glueTask(GlueTask task) {
  return table()[static_cast<size_t>(task)];
}

const GlueTaskInfo *findGlueTask(std::string_view name) {
  for (const GlueTaskInfo &info : table())
    if (info.name == name)
      return &info;
  return nullptr;
}

std::string_view splitName(GlueTask task, Split split) {
  bool matched = task == GlueTask::Mnli;
  switch (split) {
  case Split::Train:
    return "train";
  case Split::Dev:
    return matched ? "dev_matched" : "dev";
  case Split::DevMismatched:
    return "dev_mismatched";
  case Split::Test:
    return matched ? "test_matched" : "test";
  case Split::TestMismatched:
    return "test_mismatched";
  }
  return "";
}

bool hasSplit(GlueTask task, Split split) {
  if (task == GlueTask::Ax)
    return split == Split::Test;
  return task == GlueTask::Mnli || split == Split::Train ||
         split == Split::Dev || split == Split::Test;
}

std::vector<std::string_view> splitFiles(GlueTask task, Split split) {
  if (task == GlueTask::Ax)
    return {"AX.tsv", "test.tsv", "diagnostic.tsv"};
  bool matched = task == GlueTask::Mnli;
  switch (split) {
  case Split::Train:
    return {"train.tsv"};
  case Split::Dev:
    return {matched ? "dev_matched.tsv" : "dev.tsv"};
  case Split::DevMismatched:
    return {"dev_mismatched.tsv"};
  case Split::Test:
    return {matched ? "test_matched.tsv" : "test.tsv"};
  case Split::TestMismatched:
    return {"test_mismatched.tsv"};
  }
  return {};
}

GlueColumns splitColumns(GlueTask task, Split split) {
  bool labelled = split != Split::Test && split != Split::TestMismatched;
  GlueColumns columns;
  switch (task) {
  case GlueTask::Cola:
    if (labelled)
      return {.hasHeader = false,
              .a = {},
              .b = {},
              .label = {},
              .aIndex = 3,
              .labelIndex = 1};
    columns.a = "sentence";
    break;
  case GlueTask::Sst2:
    columns.a = "sentence";
    columns.label = "label";
    break;
  case GlueTask::Mrpc:
    columns.a = "#1 String";
    columns.b = "#2 String";
    columns.label = "Quality";
    break;
  case GlueTask::Stsb:
    columns.a = "sentence1";
    columns.b = "sentence2";
    columns.label = "score";
    break;
  case GlueTask::Qqp:
    columns.a = "question1";
    columns.b = "question2";
    columns.label = "is_duplicate";
    break;
  case GlueTask::Mnli:
    // Column 11 in train, 15 in dev, which has five annotators' labels before.
    columns.a = "sentence1";
    columns.b = "sentence2";
    columns.label = "gold_label";
    break;
  case GlueTask::Qnli:
    columns.a = "question";
    columns.b = "sentence";
    columns.label = "label";
    break;
  case GlueTask::Rte:
  case GlueTask::Wnli:
  case GlueTask::Ax:
    columns.a = "sentence1";
    columns.b = "sentence2";
    columns.label = "label";
    break;
  }
  if (!labelled)
    columns.label = {};
  return columns;
}

} // namespace llamarun
