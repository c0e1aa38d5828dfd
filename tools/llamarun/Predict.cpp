// llamarun predict
#include "runtime/data/Submission.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/MetricsLog.h"
#include "runtime/train/TaskData.h"
#include "tools/llamarun/Command.h"

#include <cstdio>

namespace llamarun {
namespace {

struct PredictFlags {
  DeviceFlags device;
  std::string data, adapter, outputDir, logitsOut;
  std::size_t maxSamples = TaskData::kAll;
};

/// [[a, b], [c, d], ...] in the rows' order.
std::string logitsJson(const Evaluation &result, std::size_t columns) {
  std::string text = "[";
  for (std::size_t i = 0; i < result.logits.size(); ++i) {
    text += i % columns ? ", " : i ? ",\n  [" : "\n  [";
    text += shortest(result.logits[i]);
    if (i % columns == columns - 1)
      text += "]";
  }
  return text + "\n]";
}

int runPredict(const PredictFlags &flags) {
  auto plan = flags.device.loadPlan();
  Ranks ranks = flags.device.ranks(*plan);
  TaskData task(plan, flags.device.tokenizerDirectory(), flags.data,
                flags.device.threadCount(), [ranks] { ranks.progress(); });
  if (!task.glue())
    fail(ExitCode::Usage, "a --task=lm plan has no test set to predict");
  GlueTask glue = task.glue()->task;
  auto splits = task.testSplits();
  std::vector<Dataset> data;
  for (Split split : splits)
    data.push_back(task.load(split, flags.maxSamples));

  if (!ranks.alone()) {
    Settings settings = fingerprintsOf(data);
    settings["--adapter"] = fingerprintOfAdapter(flags.adapter);
    flags.device.agree(ranks, settings);
  }
  auto session = flags.device.open(plan, 0);
  loadAdapter(*session, flags.adapter, ranks);
  ProgramRunner runner(*session, 0, ranks);
  // Everything is computed before the first file appears.
  AtomicFileSet files;
  if (ranks.first())
    makeDirectories(flags.outputDir);
  std::vector<std::string> written;
  std::string logits;
  for (std::size_t i = 0; i < splits.size(); ++i) {
    Evaluation result = evaluateDataset(runner, task.glue(), data[i]);
    if (!ranks.first())
      continue;
    auto predictions =
        predictionsOf(headOf(*plan), result.logits, runner.logitColumns());
    auto path = std::filesystem::path(flags.outputDir) /
                submissionFileName(glue, splits[i]);
    files.add(path).write(submissionText(glue, predictions));
    written.push_back(path.string());
    logits += (logits.empty() ? "{\"" : ",\n\"") + data[i].name +
              "\": " + logitsJson(result, runner.logitColumns());
  }
  if (!ranks.first())
    return 0;
  if (!flags.logitsOut.empty())
    files.add(flags.logitsOut).write(logits + "}\n");
  files.commit();
  for (auto &path : written)
    std::printf("%s\n", path.c_str());
  return 0;
}

} // namespace

void addPredict(CLI::App &app, Command &command) {
  auto flags = std::make_shared<PredictFlags>();
  auto *sub = app.add_subcommand(
      "predict", "Write the GLUE submission file of the test split");
  flags->device.addTo(*sub);
  sub->add_option("--data", flags->data,
                  "Folder with SST-2/, MRPC/, ... or the task's own")
      ->required();
  sub->add_option("--adapter", flags->adapter,
                  "PEFT directory, made by llamarun train or by PEFT")
      ->required();
  sub->add_option("--output-dir", flags->outputDir,
                  "Where SST-2.tsv, MNLI-m.tsv, ... are written")
      ->required();
  sub->add_option("--max-predict-samples", flags->maxSamples,
                  "Use only the first rows of each split")
      ->check(CLI::PositiveNumber);
  sub->add_option("--logits-out", flags->logitsOut,
                  "Also write all logits to this JSON file: {split: rows}");
  sub->callback(
      [&command, flags] { command = [flags] { return runPredict(*flags); }; });
}

} // namespace llamarun
