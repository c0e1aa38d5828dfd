#include "runtime/train/RunSettings.h"

#include "runtime/support/Error.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/MetricsLog.h"
#include "runtime/train/SettingsAgreement.h"
#include "runtime/train/StepPlan.h"

#include <nlohmann/json.hpp>

namespace llamarun {

/// Members of adapter_config.json that say how it trains.
static void addAdapter(RunSettings &settings, const Plan &plan,
                       std::uint64_t totalSteps) {
  auto config =
      nlohmann::json::parse(toJson(adapterConfig(plan, "", totalSteps)));
  for (const char *key :
       {"lora_alpha", "lora_dropout", "use_rslora", "alpha_pattern", "target_r",
        "tinit", "tfinal", "deltaT", "beta1", "beta2", "orth_reg_weight"})
    if (config.contains(key))
      settings[std::string("--adapter's ") + key] = config[key].dump();
}

RunSettings settingsOf(const Plan &plan, const TrainOptions &options,
                       const Dataset &training) {
  const Hyper &hyper = options.hyper;
  Dealing dealing = options.dealing.value_or(defaultDealing(plan));
  std::uint64_t steps = totalSteps(plan, training.size(), options);
  RunSettings settings{
      {"--learning-rate", shortest(hyper.learningRate)},
      {"--warmup-steps", std::to_string(options.warmupSteps)},
      {"--warmup-ratio", shortest(options.warmupRatio)},
      {"--weight-decay", shortest(hyper.weightDecay)},
      {"--adam-beta1", shortest(hyper.beta1)},
      {"--adam-beta2", shortest(hyper.beta2)},
      {"--adam-epsilon", shortest(hyper.epsilon)},
      {"--max-grad-norm", shortest(hyper.maxGradNorm)},
      {"--no-shuffle", options.shuffle ? "off" : "on"},
      {"examples of a step (batch size x accumulation x replicas)",
       std::to_string(dealing.perRound() * plan.task().accumulation())},
      {"--task", std::string(viewOf(plan.task().name()))},
      {kTotalSteps, std::to_string(steps)}};
  addAdapter(settings, plan, steps);
  settings.merge(fingerprintsOf({training}));
  return settings;
}

std::string requireSameSettings(const std::string &from,
                                const RunSettings &theirs,
                                const RunSettings &ours) {
  std::string warning;
  for (auto &[name, value] : ours) {
    auto found = theirs.find(name);
    if (found == theirs.end() || found->second == value)
      continue;
    if (name != kTotalSteps)
      fail(ExitCode::Usage, from, ": is of a run with ", name, " ",
           found->second, ", not ", value,
           "; give the same to go on, or begin a new run from its adapter: "
           "--init-from ",
           from);
    warning = from + ": is of a run of " + found->second + " steps, not " +
              value + ": from here on the learning rate is that of the new " +
              "length";
  }
  return warning;
}

} // namespace llamarun
