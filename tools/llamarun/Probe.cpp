// llamarun probe
#include "runtime/train/Probe.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/MetricsLog.h"
#include "runtime/train/SettingsAgreement.h"
#include "runtime/train/TaskData.h"
#include "tools/llamarun/Command.h"

#include <cstdio>
#include <optional>

namespace llamarun {
namespace {

struct ProbeFlags {
  DeviceFlags device;
  std::string data, adapter, output, stream, split = "train";
  std::size_t maxSamples = TaskData::kAll;
  std::uint64_t seed = 42;
};

int runProbe(const ProbeFlags &flags) {
  auto plan = flags.device.loadPlan();
  Ranks ranks = flags.device.ranks(*plan);
  auto modules = probedModules(*plan); // before anything slow
  TaskData task(plan, flags.device.tokenizerDirectory(), flags.data,
                flags.device.threadCount(), [ranks] { ranks.progress(); });
  Dataset data = task.load(flags.split == "dev" ? Split::Dev : Split::Train,
                           flags.maxSamples);
  if (!ranks.alone()) {
    Settings settings = fingerprintsOf({data});
    settings["--seed"] = std::to_string(flags.seed);
    if (!flags.adapter.empty())
      settings["--adapter"] = fingerprintOfAdapter(flags.adapter);
    flags.device.agree(ranks, settings);
  }
  auto session = flags.device.open(plan, flags.seed);
  if (!flags.adapter.empty())
    loadAdapter(*session, flags.adapter, ranks);
  ProgramRunner runner(*session, flags.seed, ranks);

  std::optional<MetricsLog> stream;
  if (!flags.stream.empty() && ranks.first())
    stream.emplace(flags.stream);
  std::uint64_t number = 0;
  ProbeResult result =
      probeDataset(runner, data, [&](const ProbeResult &batch) {
        if (stream)
          stream->write(probeLine(batch, number));
        ++number;
      });
  if (!ranks.first())
    return 0;
  if (stream)
    stream->finish();
  writeFileAtomically(flags.output, probeFile(*plan, data, result));
  std::printf("%s %s: %llu samples, %llu tokens, loss = %s, %zu layers: %s\n",
              plan->task().name()->c_str(), data.name.c_str(),
              static_cast<unsigned long long>(result.samples),
              static_cast<unsigned long long>(result.tokens),
              shortest(result.loss).c_str(), modules.size(),
              flags.output.c_str());
  return 0;
}

} // namespace

void addProbe(CLI::App &app, Command &command) {
  auto flags = std::make_shared<ProbeFlags>();
  auto *sub = app.add_subcommand(
      "probe", "Run the probes of a plan (llamac --probe) over a split: "
               "statistics of every linear layer, for --adapter placement=");
  flags->device.addTo(*sub);
  sub->add_option("--data", flags->data,
                  "Folder with SST-2/, MRPC/, ... or the task's own; for "
                  "--task=lm plans also a .txt file")
      ->required();
  sub->add_option("--output", flags->output,
                  "The file for the statistics: probe.json")
      ->required();
  sub->add_option("--stream", flags->stream,
                  "Also write those of every batch, a line of JSON each, while "
                  "it runs");
  sub->add_option("--adapter", flags->adapter,
                  "PEFT directory to look at, if the plan has an adapter");
  sub->add_option("--split", flags->split, "Labelled examples to run over")
      ->check(CLI::IsMember({"train", "dev"}))
      ->capture_default_str();
  sub->add_option("--max-samples", flags->maxSamples,
                  "Use only the first rows of the split")
      ->check(CLI::PositiveNumber);
  sub->add_option("--seed", flags->seed,
                  "First values of head and adapter, without --adapter")
      ->capture_default_str();
  sub->callback(
      [&command, flags] { command = [flags] { return runProbe(*flags); }; });
}

} // namespace llamarun
