// llamarun eval
#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/EvaluationReport.h"
#include "runtime/train/TaskData.h"
#include "tools/llamarun/Command.h"

namespace llamarun {
namespace {

struct EvalFlags {
  DeviceFlags device;
  std::string data, adapter, outputDir;
  std::size_t maxSamples = TaskData::kAll;
};

int runEval(const EvalFlags &flags) {
  auto plan = flags.device.loadPlan();
  Ranks ranks = flags.device.ranks(*plan);
  TaskData task(plan, flags.device.tokenizerDirectory(), flags.data,
                flags.device.threadCount(), [ranks] { ranks.progress(); });
  auto splits = task.evaluationSplits();
  if (splits.empty()) {
    if (task.glue())
      fail(ExitCode::Usage, "task '", task.glue()->name,
           "' has no labelled split; use llamarun predict");
    splits = {Split::Dev}; // the text file itself
  }
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
  std::string lines;
  for (auto &dataset : data) {
    Evaluation result = evaluateDataset(runner, task.glue(), dataset);
    if (!ranks.first())
      continue;
    printEvaluation(stdout, viewOf(plan->task().name()), result);
    JsonLine line;
    addEvaluation(line, result);
    lines += line.str() + "\n";
  }
  if (!flags.outputDir.empty() && ranks.first()) {
    makeDirectories(flags.outputDir);
    writeFileAtomically(std::filesystem::path(flags.outputDir) / "eval.jsonl",
                        lines);
  }
  return 0;
}

} // namespace

void addEval(CLI::App &app, Command &command) {
  auto flags = std::make_shared<EvalFlags>();
  auto *sub = app.add_subcommand(
      "eval", "Evaluate an adapter on the dev split: loss and every metric");
  flags->device.addTo(*sub);
  sub->add_option("--data", flags->data,
                  "Folder with SST-2/, MRPC/, ... or the task's own; for "
                  "--task=lm plans also a .txt file")
      ->required();
  sub->add_option("--adapter", flags->adapter,
                  "PEFT directory, made by llamarun train or by PEFT")
      ->required();
  sub->add_option("--max-eval-samples", flags->maxSamples,
                  "Use only the first rows of each split")
      ->check(CLI::PositiveNumber);
  sub->add_option("--output-dir", flags->outputDir,
                  "Also write the results to eval.jsonl there");
  sub->callback(
      [&command, flags] { command = [flags] { return runEval(*flags); }; });
}

} // namespace llamarun
