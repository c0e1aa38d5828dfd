// llamarun bench
#include "runtime/io/AtomicFile.h"
#include "runtime/support/Error.h"
#include "runtime/train/BenchProgram.h"
#include "runtime/train/BenchReport.h"
#include "tools/llamarun/Command.h"
#include "tools/llamarun/StepData.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

namespace llamarun {
namespace {

struct BenchFlags {
  DeviceFlags device;
  BenchOptions options;
  std::string data, lengths = "sst2-like", json;
  std::string profile; ///< a program's name; "commonest"
  std::uint32_t profileRepeats = 20;
  bool ceilings = false;
  double bandwidth = 0, flops = 0; ///< TB/s, TFLOP/s
  std::int64_t seed = 42;
};

const fb::Program &profiledProgram(const Plan &plan, const std::string &name,
                                   const BenchResult &result) {
  if (name == "commonest")
    return *result.commonest;
  for (std::size_t i = 0; i < plan.programCount(); ++i)
    if (viewOf(plan.program(i).name()) == name)
      return plan.program(i);
  fail(ExitCode::Usage, plan.path(), ": has no program '", name, "'");
}

int runBench(BenchFlags &flags) {
  using Clock = std::chrono::steady_clock;
  auto plan = flags.device.loadPlan();
  // Its model brought its own program: there are no sentences.
  bool own = plan->find(fb::ProgramKind::Gradient, 1) != nullptr;
  if (own && !flags.data.empty())
    fail(ExitCode::Usage, "--data: ", plan->path(),
         " has a program that its model brought; inputs are drawn");
  Dataset data =
      own ? Dataset{}
          : stepData(flags.device, plan, flags.data, flags.lengths,
                     std::size_t{flags.options.steps} + flags.options.warmup,
                     static_cast<std::uint64_t>(flags.seed));
  Ranks ranks = flags.device.ranks(*plan);
  flags.device.agree(ranks, fingerprintsOf({data}));
  auto seed = static_cast<std::uint64_t>(flags.seed);
  auto start = Clock::now();
  auto session = flags.device.open(plan, seed);
  BenchContext context;
  context.loadSeconds =
      std::chrono::duration<double>(Clock::now() - start).count();
  context.device = session->device().name();
  context.weights = flags.device.weights;
  context.lengths = own                  ? "of the program"
                    : flags.data.empty() ? flags.lengths
                                         : flags.data;
  ProgramRunner runner(*session, seed, ranks);
  BenchResult result =
      own ? benchProgram(*session, ranks, seed, flags.options)
          : benchTraining(*session, runner, data, flags.options);
  for (std::size_t c = 0; c < kCategories; ++c)
    context.allocatedBytes +=
        session->allocatedBytes(static_cast<fb::Category>(c));
  auto memory = session->device().memoryInfo();
  context.usedBytes = memory.totalBytes - memory.freeBytes;
  // Of the device that has most of it.
  auto bytes = ranks.gatherNumbers(
      std::array{static_cast<double>(context.allocatedBytes),
                 static_cast<double>(context.usedBytes)});
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    context.allocatedBytes =
        std::max(context.allocatedBytes, static_cast<std::uint64_t>(bytes[i]));
    context.usedBytes =
        std::max(context.usedBytes, static_cast<std::uint64_t>(bytes[i + 1]));
  }
  // After the steps: it takes memory of its own.
  if (flags.ceilings)
    context.ceilings = measureCeilings(session->device());
  if (flags.bandwidth > 0)
    context.ceilings.bytesPerSecond = 1e12 * flags.bandwidth;
  if (flags.flops > 0)
    context.ceilings.flopsPerSecond = 1e12 * flags.flops;
  if (ranks.first())
    printBench(stdout, *plan, context, result);
  if (!flags.json.empty() && ranks.first())
    writeFileAtomically(flags.json, benchJson(*plan, context, result) + "\n");
  if (!flags.profile.empty()) {
    auto &program = profiledProgram(*plan, flags.profile, result);
    // All ranks take the steps: they wait for each other in collectives.
    auto times = session->profile(program, flags.profileRepeats);
    if (ranks.first())
      printProfile(stdout, program, groupProfile(*plan, program, times),
                   context.ceilings);
  }
  return 0;
}

} // namespace

void addBench(CLI::App &app, Command &command) {
  auto flags = std::make_shared<BenchFlags>();
  auto *sub = app.add_subcommand(
      "bench", "Time real training steps: latency, throughput, memory, floors");
  flags->device.addTo(*sub);
  sub->add_option("--data", flags->data,
                  "Train on this, as llamarun train does; without it on "
                  "made-up sentences");
  sub->add_option("--lengths", flags->lengths,
                  "Of made-up sentences: sst2-like, or fixed:N tokens")
      ->capture_default_str();
  sub->add_option("--steps", flags->options.steps, "Timed steps")
      ->check(CLI::Range(1u, 1000000u))
      ->capture_default_str();
  sub->add_option("--warmup", flags->options.warmup, "Steps before those")
      ->check(CLI::Range(0u, 1000000u))
      ->capture_default_str();
  sub->add_option("--seed", flags->seed, "Of adapter and sentences")
      ->capture_default_str();
  sub->add_option("--json", flags->json, "Also write the results there");
  sub->add_flag("--ceilings", flags->ceilings,
                "Measure the device's copy bandwidth and GEMM rate as well");
  sub->add_option("--bandwidth", flags->bandwidth,
                  "TB/s of a copy, for the byte floor")
      ->check(CLI::PositiveNumber);
  sub->add_option("--flops", flags->flops,
                  "TFLOP/s of a GEMM, for the FLOP floor")
      ->check(CLI::PositiveNumber);
  sub->add_option("--profile", flags->profile,
                  "Then time every step of this program by itself; without a "
                  "name of the commonest one")
      ->expected(0, 1)
      ->default_str("commonest");
  sub->add_option("--profile-repeats", flags->profileRepeats,
                  "Runs of the profiled program")
      ->check(CLI::Range(1u, 10000u))
      ->capture_default_str();
  sub->callback(
      [&command, flags] { command = [flags] { return runBench(*flags); }; });
}

} // namespace llamarun
