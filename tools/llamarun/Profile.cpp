// llamarun profile
#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"
#include "runtime/trace/JobTrace.h"
#include "runtime/trace/ProfileTable.h"
#include "runtime/train/Profiler.h"
#include "tools/llamarun/Command.h"
#include "tools/llamarun/StepData.h"

#include <algorithm>
#include <optional>

namespace llamarun {
namespace {

struct ProfileFlags {
  DeviceFlags device;
  ProfileOptions options;
  std::string data, lengths = "sst2-like", output, json;
  std::uint32_t top = 25;
  bool noCeilings = false;
  double bandwidth = 0, flops = 0; ///< TB/s, TFLOP/s
  std::int64_t seed = 42;
};

Ceilings ceilingsFor(const ProfileFlags &flags, Device &device) {
  Ceilings ceilings;
  bool given = flags.bandwidth > 0 && flags.flops > 0;
  if (!given && !flags.noCeilings)
    ceilings = measureCeilings(device);
  if (flags.bandwidth > 0)
    ceilings.bytesPerSecond = 1e12 * flags.bandwidth;
  if (flags.flops > 0)
    ceilings.flopsPerSecond = 1e12 * flags.flops;
  return ceilings;
}

void writeTrace(AtomicFile &file, const Plan &plan, const JobProfile &profile,
                const PlanCosts &costs,
                const std::vector<CollectiveLink> &links) {
  constexpr std::size_t kBlock = 1 << 20;
  std::string block;
  writeJobTrace(
      [&](std::string_view text) {
        block += text;
        if (block.size() >= kBlock) {
          file.write(block);
          block.clear();
        }
      },
      plan, profile.traces, costs, links);
  file.write(block);
  file.commit();
}

int runProfile(ProfileFlags &flags) {
  auto plan = flags.device.loadPlan();
  Ranks ranks = flags.device.ranks(*plan);
  // Before anything takes long: a place that cannot be written to.
  std::optional<AtomicFile> trace, json;
  if (!flags.output.empty() && ranks.first())
    trace.emplace(flags.output);
  if (!flags.json.empty() && ranks.first())
    json.emplace(flags.json);
  // Its model brought its own program: there are no sentences.
  bool own = plan->find(fb::ProgramKind::Gradient, 1) != nullptr;
  if (own && !flags.data.empty())
    fail(ExitCode::Usage, "--data: ", plan->path(),
         " has a program that its model brought; inputs are drawn");
  Dataset data = own ? Dataset{}
                     : stepData(flags.device, plan, flags.data, flags.lengths,
                                std::size_t{flags.options.steps} *
                                        (flags.options.compare ? 2 : 1) +
                                    flags.options.warmup,
                                static_cast<std::uint64_t>(flags.seed));
  flags.device.agree(ranks, fingerprintsOf({data}));
  auto seed = static_cast<std::uint64_t>(flags.seed);
  auto session = flags.device.open(plan, seed);
  ProgramRunner runner(*session, seed, ranks);
  JobProfile profile =
      own ? profileProgram(*session, ranks, seed, flags.options)
          : profileTraining(*session, runner, data, flags.options);
  ProfileContext context;
  // After the steps: it takes memory of its own. All ranks at once, as they
  // share the machine.
  context.ceilings = ceilingsFor(flags, session->device());
  if (!ranks.first())
    return 0;
  auto &first = profile.traces.front();
  context.plan = plan->path();
  context.hash = plan->hash();
  context.device = first.device;
  context.weights = flags.device.weights;
  context.data = own                  ? "inputs drawn"
                 : flags.data.empty() ? "lengths " + flags.lengths
                                      : "data " + flags.data;
  context.source = first.source;
  context.note = profile.note;
  context.overhead = profile.overhead;
  for (auto &their : profile.traces)
    context.clockError = std::max(
        context.clockError, 1e-9 * static_cast<double>(their.clock.error));
  auto costs = planCosts(*plan, profile.traces);
  auto links = linkCollectives(*plan, profile.traces, costs);
  auto summary =
      summarize(profile.traces, costs, links, *plan, context.ceilings);
  if (trace)
    writeTrace(*trace, *plan, profile, costs, links);
  if (json) {
    json->write(profileJson(context, summary) + "\n");
    json->commit();
  }
  printProfileTable(stdout, context, summary, flags.top);
  if (trace)
    std::printf("trace: %s; open it in https://ui.perfetto.dev\n",
                flags.output.c_str());
  return 0;
}

} // namespace

void addProfile(CLI::App &app, Command &command) {
  auto flags = std::make_shared<ProfileFlags>();
  auto *sub = app.add_subcommand(
      "profile", "Take training steps and show where their time goes");
  flags->device.addTo(*sub);
  sub->add_option("-o,--output", flags->output,
                  "Write a Chrome trace there, of all ranks: for Perfetto");
  sub->add_option("--json", flags->json, "Also write the table there");
  sub->add_option("--data", flags->data,
                  "Train on this, as llamarun train does; without it on "
                  "made-up sentences");
  sub->add_option("--lengths", flags->lengths,
                  "Of made-up sentences: sst2-like, or fixed:N tokens")
      ->capture_default_str();
  sub->add_option("--steps", flags->options.steps, "Traced steps")
      ->check(CLI::Range(1u, 100000u))
      ->capture_default_str();
  sub->add_option("--warmup", flags->options.warmup, "Steps before those")
      ->check(CLI::Range(0u, 1000000u))
      ->capture_default_str();
  sub->add_flag("--overhead", flags->options.compare,
                "Take as many steps without tracing, in turns, and tell what "
                "tracing costs");
  sub->add_option("--top", flags->top, "Lines of the table")
      ->check(CLI::Range(1u, 100000u))
      ->capture_default_str();
  sub->add_flag("--no-ceilings", flags->noCeilings,
                "Do not measure the device's copy bandwidth and GEMM rate");
  sub->add_option("--bandwidth", flags->bandwidth,
                  "TB/s of a copy, for the byte floor")
      ->check(CLI::PositiveNumber);
  sub->add_option("--flops", flags->flops,
                  "TFLOP/s of a GEMM, for the FLOP floor")
      ->check(CLI::PositiveNumber);
  sub->add_option("--seed", flags->seed, "Of adapter and sentences")
      ->capture_default_str();
  sub->callback(
      [&command, flags] { command = [flags] { return runProfile(*flags); }; });
}

} // namespace llamarun
