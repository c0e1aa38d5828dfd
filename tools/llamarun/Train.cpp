// llamarun train
#include "runtime/convert/BackgroundSaver.h"
#include "runtime/convert/TrainingState.h"
#include "runtime/io/CheckpointFolder.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Trainer.h"
#include "tools/llamarun/Command.h"
#include "tools/llamarun/Resume.h"
#include "tools/llamarun/RunBackup.h"
#include "tools/llamarun/RunRecords.h"
#include "tools/llamarun/StopSignal.h"

#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <vector>

namespace llamarun {
namespace {

struct TrainFlags {
  DeviceFlags device;
  TrainOptions options;
  std::string data, validation, outputDir, initFrom, saveCheckpoint;
  ResumeFlag resume;
  RunRecords records;
  RunBackup backup;
  std::uint64_t saveTotalLimit = 0;
  std::int64_t seed = 42;
  std::optional<std::int64_t> dataSeed;
  std::size_t maxTrainSamples = TaskData::kAll;
  std::size_t maxEvalSamples = TaskData::kAll;
  bool overwrite = false;
  bool noShuffle = false;
  std::vector<std::uint32_t> shares;
};

const std::map<std::string, When> kWhen{
    {"no", When::Never}, {"epoch", When::Epoch}, {"steps", When::Steps}};

CLI::Option *addWhen(CLI::App &app, const std::string &flag, When &value,
                     const std::string &help) {
  return app.add_option(flag, value, help)
      ->transform(CLI::CheckedTransformer(kWhen))
      ->option_text("no|steps|epoch [epoch]");
}

void addDataFlags(CLI::App &app, TrainFlags &flags) {
  app.add_option("--data", flags.data,
                 "Folder with SST-2/, MRPC/, ... or the task's own; for "
                 "--task=lm plans also a .txt file, one text a line")
      ->required();
  app.add_option("--validation-file", flags.validation,
                 "Text file to evaluate on, where --data is a text file");
  app.add_option("--output-dir", flags.outputDir,
                 "Where the adapter, metrics.jsonl and checkpoint-<step> are "
                 "written")
      ->required();
  app.add_flag("--overwrite-output-dir", flags.overwrite,
               "Replace the run that --output-dir already holds: its "
               "checkpoints go when the new one has its first");
  app.add_option("--init-from", flags.initFrom,
                 "Start from a PEFT directory, or from a safetensors file with "
                 "PyTorch's parameter names");
  app.add_option("--resume", flags.resume.where,
                 "Go on from a checkpoint, or from the newest complete one in "
                 "a run's directory; default: in --output-dir, which the run "
                 "then continues")
      ->expected(0, 1)
      ->option_text("[DIR]")
      ->excludes("--init-from");
  app.add_option("--save-checkpoint", flags.saveCheckpoint,
                 "Directory for parameters and optimizer state at the end of "
                 "the run, or when it is stopped; an older one is replaced");
  app.add_option("--max-train-samples", flags.maxTrainSamples,
                 "Use only the first rows of the training split")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-eval-samples", flags.maxEvalSamples,
                 "Use only the first rows of each evaluation split")
      ->check(CLI::PositiveNumber);
  app.add_flag("--no-shuffle", flags.noShuffle,
               "Keep the order of the training file");
  app.add_option("--deal", flags.shares,
                 "Examples of each global batch by data-parallel rank, as in "
                 "1,7; default: --per-device-batch-size of the plan for each")
      ->delimiter(',');
}

void addScheduleFlags(CLI::App &app, TrainFlags &flags) {
  TrainOptions &o = flags.options;
  app.add_option("--num-train-epochs,--epochs", o.epochs,
                 "Passes over the training split")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--max-steps", o.maxSteps,
                 "Optimizer steps, instead of epochs; -1 = by epochs")
      ->check(CLI::Range(std::int64_t(-1), std::int64_t(1) << 52))
      ->capture_default_str();
  app.add_option("--learning-rate", o.hyper.learningRate,
                 "Peak of the linear schedule")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--warmup-steps", o.warmupSteps,
                 "Steps over which the rate rises from 0")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--warmup-ratio", o.warmupRatio,
                 "The same as a share of all steps, if --warmup-steps is 0")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

void addOptimizerFlags(CLI::App &app, TrainFlags &flags) {
  Hyper &hyper = flags.options.hyper;
  app.add_option("--weight-decay", hyper.weightDecay, "AdamW's, decoupled")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--adam-beta1", hyper.beta1)
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--adam-beta2", hyper.beta2)
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--adam-epsilon", hyper.epsilon)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--max-grad-norm", hyper.maxGradNorm,
                 "Clip gradients to this global norm; 0 = do not")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", flags.seed,
                 "Of the adapter's first values and of dropout")
      ->capture_default_str();
  app.add_option("--data-seed", flags.dataSeed,
                 "Of the order of the examples; default: --seed");
}

void addReportFlags(CLI::App &app, TrainFlags &flags) {
  TrainOptions &o = flags.options;
  app.add_option("--logging-steps", o.loggingSteps,
                 "Steps between entries of metrics.jsonl; the first and last "
                 "step always have one")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--logging-dir", flags.records.loggingDir,
                 "Also write TensorBoard events there; default: none");
  addWhen(app, "--eval-strategy", o.evaluate, "When to evaluate");
  app.add_option("--eval-steps", o.evalSteps,
                 "Steps between evaluations by steps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  addWhen(app, "--save-strategy", o.save,
          "When to write checkpoint-<step> into --output-dir; at the end and "
          "when stopped there is one too, unless 'no'");
  app.add_option("--save-steps", o.saveSteps, "Steps between saves by steps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--save-total-limit", flags.saveTotalLimit,
                 "Keep so many checkpoints, the newest; default: all")
      ->check(CLI::PositiveNumber);
}

std::vector<Dataset> loadEvaluation(const TrainFlags &flags,
                                    const std::shared_ptr<const Plan> &plan,
                                    const TaskData &task) {
  std::vector<Dataset> evaluation;
  if (flags.options.evaluate == When::Never)
    return evaluation;
  for (Split split : task.evaluationSplits())
    evaluation.push_back(task.load(split, flags.maxEvalSamples));
  if (!flags.validation.empty()) {
    if (task.glue())
      fail(ExitCode::Usage, "--validation-file is for --task=lm plans");
    TaskData file(plan, flags.device.tokenizerDirectory(), flags.validation,
                  flags.device.threadCount());
    evaluation.push_back(file.load(Split::Dev, flags.maxEvalSamples));
  }
  return evaluation;
}

Dealing sharesOf(const TrainFlags &flags, const Ranks &ranks) {
  if (flags.shares.size() != ranks.dataRanks())
    fail(ExitCode::Usage, "--deal has ", flags.shares.size(), " shares for ",
         ranks.dataRanks(), " data-parallel ranks");
  Dealing dealing{flags.shares};
  dealing.perRound(); // refuses what deals nothing
  return dealing;
}

void agree(const TrainFlags &flags, const Ranks &ranks, const Dataset &training,
           const std::vector<Dataset> &evaluation) {
  if (ranks.alone())
    return;
  Settings settings = fingerprintsOf(evaluation);
  settings.merge(fingerprintsOf({training}));
  if (flags.resume.given)
    settings["--resume"] = "given";
  if (!flags.initFrom.empty())
    settings["--init-from"] = fingerprintOfAdapter(flags.initFrom);
  if (!flags.saveCheckpoint.empty())
    settings["--save-checkpoint"] = "given";
  flags.device.agree(ranks, settings);
}

void printJob(Session &session, const Dataset &training,
              const TrainOptions &options, const Ranks &ranks) {
  const Plan &plan = session.plan();
  std::printf("%s: %zu examples, %llu steps, %llu trainable parameters, %s\n",
              std::string(viewOf(plan.task().name())).c_str(), training.size(),
              static_cast<unsigned long long>(
                  totalSteps(plan, training.size(), options)),
              static_cast<unsigned long long>(trainableOf(plan, ranks)),
              devicesOf(session, ranks).c_str());
  std::fflush(stdout);
}

void writeCheckpoint(const TrainFlags &flags, Session &session,
                     const Ranks &ranks, std::uint64_t steps,
                     std::uint64_t perEpoch) {
  TrainingPosition at;
  at.step = steps;
  at.epoch = steps / perEpoch;
  at.epochStep = steps % perEpoch;
  at.seed = static_cast<std::uint64_t>(flags.seed);
  at.dataSeed = flags.options.dataSeed;
  try {
    saveCheckpoint(
        session, Grid(session.plan()), ranks.rank(), at, flags.saveCheckpoint,
        [&ranks](std::string_view mine) { return ranks.gather(mine); });
  } catch (const Error &error) {
    ranks.fail(error);
    throw;
  }
  if (ranks.first())
    std::printf("checkpoint: %s\n", flags.saveCheckpoint.c_str());
}

SaverOptions saverOptions(const TrainFlags &flags, const RunSettings &settings,
                          std::uint64_t generation, bool replaces) {
  const TrainOptions &options = flags.options;
  SaverOptions saver;
  saver.run = options.outputDir;
  saver.totalLimit = flags.saveTotalLimit;
  saver.baseModel = options.baseModel;
  saver.totalSteps = std::stoull(settings.at(kTotalSteps));
  saver.settings = settings;
  saver.generation = generation;
  saver.replaces = replaces;
  saver.warn = printWarning;
  saver.observers = options.observers;
  return saver;
}

int runTrain(TrainFlags &flags) {
  TrainOptions &options = flags.options;
  options.outputDir = flags.outputDir;
  options.baseModel = flags.device.weights;
  options.shuffle = !flags.noShuffle;
  options.dataSeed =
      static_cast<std::uint64_t>(flags.dataSeed.value_or(flags.seed));
  flags.backup.check();
  auto plan = flags.device.loadPlan();
  Ranks ranks = flags.device.ranks(*plan);
  options.seed = static_cast<std::uint64_t>(flags.seed);
  options.warn = printWarning;
  // Rank 0 writes there while the others may still have to look.
  if (ranks.first() && !flags.resume.continues(options.outputDir))
    prepareOutput(options.outputDir, flags.overwrite);
  TaskData task(plan, flags.device.tokenizerDirectory(), flags.data,
                flags.device.threadCount(), [ranks] { ranks.progress(); });
  Dataset training = task.load(Split::Train, flags.maxTrainSamples);
  auto evaluation = loadEvaluation(flags, plan, task);
  agree(flags, ranks, training, evaluation);
  auto seed = options.seed;
  auto session = flags.device.open(plan, seed);
  if (!flags.initFrom.empty())
    loadAdapter(*session, flags.initFrom, ranks);
  if (!flags.shares.empty())
    options.dealing = sharesOf(flags, ranks);
  RunSettings settings = settingsOf(*plan, options, training);
  std::string from;
  if (flags.resume.given)
    from = flags.resume.choose(options.outputDir, ranks);
  if (!from.empty())
    resumeFrom(from, *session, ranks, settings, options);
  if (ranks.first()) {
    flags.records.start(*session, ranks, training.size(), options);
    flags.backup.start(options);
    printJob(*session, training, options, ranks);
  }

  watchStopSignals();
  options.stopRequested = stopSignal;
  std::optional<BackgroundSaver> saver;
  bool replaces = flags.overwrite && !flags.resume.continues(options.outputDir);
  if (options.save != When::Never) {
    // Rank 0 alone uses it, before anything is written.
    std::uint64_t generation =
        ranks.first() ? flags.resume.generation(options.outputDir, from) : 0;
    options.saver = &saver.emplace(
        *session, ranks, saverOptions(flags, settings, generation, replaces));
  }
  ProgramRunner runner(*session, seed, ranks);
  TrainOutcome outcome =
      train(*session, runner, task.glue(), training, evaluation, options);
  if (replaces && !saver && !outcome.signal && ranks.first())
    removeOlder(options.outputDir, std::numeric_limits<std::uint64_t>::max());
  if (!flags.saveCheckpoint.empty())
    writeCheckpoint(
        flags, *session, ranks, outcome.steps,
        stepsPerEpoch(plan->task(),
                      options.dealing.value_or(defaultDealing(*plan)),
                      training.size()));
  saver.reset(); // nothing more is written
  bool backedUp = true;
  if (ranks.first()) {
    std::printf("adapter: %s\n", flags.outputDir.c_str());
    std::fflush(stdout);
    backedUp = flags.backup.finish(ranks);
  }
  if (!backedUp && !outcome.signal)
    return static_cast<int>(ExitCode::Storage);
  return outcome.signal ? 128 + outcome.signal : 0;
}

} // namespace

void addTrain(CLI::App &app, Command &command) {
  auto flags = std::make_shared<TrainFlags>();
  auto *sub = app.add_subcommand(
      "train", "Train an adapter; write it as PEFT does, with metrics.jsonl");
  flags->device.addTo(*sub);
  addDataFlags(*sub, *flags);
  addScheduleFlags(*sub, *flags);
  addOptimizerFlags(*sub, *flags);
  addReportFlags(*sub, *flags);
  flags->backup.addTo(*sub);
  sub->callback([&command, flags, sub] {
    flags->resume.given = sub->count("--resume") > 0;
    flags->records.settings = settingsOf(*sub);
    command = [flags] { return runTrain(*flags); };
  });
}

} // namespace llamarun
