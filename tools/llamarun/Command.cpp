#include "tools/llamarun/Command.h"

#include "runtime/device/Device.h"
#include "runtime/io/HfCheckpoint.h"
#include "runtime/plan/Inspect.h"
#include "runtime/support/Error.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/LoadWeights.h"

namespace llamarun {

void DeviceFlags::addTo(CLI::App &app) {
  app.add_option("plan", plan, "Plan made by llamac")->required();
  app.add_option("--weights", weights,
                 "Hugging Face directory: config.json, safetensors, tokenizer")
      ->required();
  app.add_option("--threads", threads,
                 "CPU threads for the device and for tokenizing; 0 = all")
      ->check(CLI::Range(0u, 4096u))
      ->capture_default_str();
  app.add_option("--device-memory", deviceMemory,
                 "Refuse a plan that needs more than this: bytes, or with a "
                 "suffix as in 500MB, 8GiB; 0 = whatever the device has")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("0");
}

std::shared_ptr<const Plan> DeviceFlags::loadPlan() const {
  auto loaded = Plan::load(plan);
  std::uint64_t bytes = 0;
  for (auto part : plannedBytes(*loaded))
    bytes += part;
  if (deviceMemory && bytes > deviceMemory)
    fail(ExitCode::DoesNotFit, plan, ": needs ", bytes,
         " bytes of device memory, --device-memory allows ", deviceMemory);
  return loaded;
}

std::unique_ptr<Session> DeviceFlags::open(std::shared_ptr<const Plan> loaded,
                                           std::uint64_t seed) const {
  // Before the device takes memory: this names what is wrong with the files.
  auto checkpoint = HfCheckpoint::open(weights);
  DeviceOptions options;
  options.threads = threads;
  auto device = createDevice(viewOf(loaded->target().kind()), options);
  auto session =
      std::make_unique<Session>(std::move(loaded), std::move(device));
  loadWeights(*session, checkpoint);
  initializeTensors(*session, seed);
  return session;
}

} // namespace llamarun
