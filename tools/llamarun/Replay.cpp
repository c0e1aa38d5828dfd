// llamarun replay
#include "runtime/train/Replay.h"
#include "runtime/support/Error.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/ForwardCheck.h"
#include "tools/llamarun/Command.h"

#include <cstdio>

namespace llamarun {
namespace {

struct ReplayFlags {
  DeviceFlags device;
  ReplayOptions options;
  std::string trace, init, final, eval, forward, gradients, outputDir;
  double forwardTolerance = 1e-4;
};

int runReplay(ReplayFlags &flags) {
  auto plan = flags.device.loadPlan();
  auto session = flags.device.open(plan, 0);
  Ranks ranks = flags.device.ranks(*plan);
  bool passed = true;
  if (!flags.forward.empty()) {
    ProgramRunner runner(*session, 0, ranks);
    passed &=
        checkForward(runner, flags.forward, stdout) <= flags.forwardTolerance;
  }
  if (!flags.trace.empty()) {
    flags.options.trace = flags.trace;
    flags.options.init = flags.init;
    flags.options.final = flags.final;
    flags.options.eval = flags.eval;
    flags.options.gradients = flags.gradients;
    ReplayReport report = replay(*session, flags.options, ranks);
    passed &= report.passed;
    if (!flags.outputDir.empty())
      saveAdapter(*session, flags.outputDir, flags.device.weights, ranks,
                  report.totalSteps);
  }
  if (!passed)
    fail(ExitCode::Numerics, flags.trace.empty() ? flags.forward : flags.trace,
         ": differs from the reference by more than the tolerances");
  if (ranks.first())
    std::printf("replay: ok\n");
  return 0;
}

} // namespace

void addReplay(CLI::App &app, Command &command) {
  auto flags = std::make_shared<ReplayFlags>();
  auto *sub = app.add_subcommand(
      "replay", "Take the steps of a reference run and compare; exit code 7 "
                "beyond the tolerances");
  flags->device.addTo(*sub);
  auto *trace = sub->add_option("--trace", flags->trace,
                                "trace.json of the reference run");
  auto *forward =
      sub->add_option("--forward", flags->forward,
                      "Reference logits of positions, for a --task=lm plan");
  sub->add_option("--init-from", flags->init,
                  "Tensors before the first step; default: init.safetensors "
                  "beside the trace")
      ->needs(trace);
  sub->add_option("--final", flags->final,
                  "Tensors to compare with; default: final.safetensors beside "
                  "the trace, if it is there")
      ->needs(trace);
  sub->add_option("--eval", flags->eval,
                  "Logits to compare with; default: eval.json beside the "
                  "trace, if it is there")
      ->needs(trace);
  sub->add_option("--gradients", flags->gradients,
                  "Write the first step's gradients there, before clipping, as "
                  "safetensors with PEFT's names")
      ->needs(trace);
  sub->add_option("--output-dir", flags->outputDir,
                  "Also save the resulting adapter there")
      ->needs(trace);
  ReplayOptions &o = flags->options;
  sub->add_option("--deal", o.shares,
                  "Examples of each step by data-parallel rank, as in 1,7; "
                  "default: equal parts one after another")
      ->delimiter(',')
      ->needs(trace);
  auto tolerance = [&](const char *flag, double &value, const char *help) {
    sub->add_option(flag, value, help)
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
  };
  tolerance("--loss-tolerance", o.lossTolerance, "Relative, each step");
  tolerance("--grad-norm-tolerance", o.gradNormTolerance,
            "Relative, each step");
  tolerance("--tensor-tolerance", o.tensorTolerance,
            "Relative norm, each final tensor");
  tolerance("--logit-tolerance", o.logitTolerance,
            "Each logit: absolute below 1, relative above");
  tolerance("--forward-tolerance", flags->forwardTolerance,
            "The same, for --forward");
  sub->add_option("--mask-tolerance", o.maskTolerance,
                  "AdaLoRA: triplets that may be kept otherwise than by the "
                  "reference, over all steps")
      ->capture_default_str();
  sub->callback([&command, flags, trace, forward] {
    if (!trace->count() && !forward->count())
      throw CLI::RequiredError("--trace or --forward");
    command = [flags] { return runReplay(*flags); };
  });
}

} // namespace llamarun
