#include "tools/llamarun/Command.h"

#include "runtime/device/Device.h"
#include "runtime/executor/MemoryNeed.h"
#include "runtime/io/HfCheckpoint.h"
#include "runtime/plan/Inspect.h"
#include "runtime/support/Error.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/LoadWeights.h"
#include "runtime/train/MetricsLog.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <thread>

namespace llamarun {

void DeviceFlags::addTo(CLI::App &app) {
  command = &app;
  app.add_option("plan", plan, "Plan made by llamac")->required();
  app.add_option("--weights", weights,
                 "Hugging Face directory: config.json, safetensors, tokenizer; "
                 "or random[:SEED], for benchmarks")
      ->required();
  app.add_option("--tokenizer", tokenizer,
                 "Directory of tokenizer and config.json, if it is not that of "
                 "the weights");
  app.add_option("--threads", threads,
                 "CPU threads for the device and for tokenizing; 0 = all, "
                 "shared by the ranks of a host")
      ->check(CLI::Range(0u, 4096u))
      ->capture_default_str();
  app.add_option("--device-memory", deviceMemory,
                 "Refuse a plan that needs more than this: bytes, or with a "
                 "suffix as in 500MB, 8GiB; 0 = whatever the device has")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("0");
  app.add_option("--gpu", gpu,
                 "Which of the visible GPUs; of several ranks on a host the "
                 "first one's")
      ->check(CLI::Range(0u, 1023u))
      ->capture_default_str();
  static const std::map<std::string, Tune> kTune{
      {"off", Tune::Off}, {"load", Tune::Load}, {"force", Tune::Force}};
  app.add_option("--tune", tune,
                 "GEMM algorithms on a GPU: the library's guess; by timing, "
                 "kept beside the plan; by timing anew")
      ->transform(CLI::CheckedTransformer(kTune))
      ->option_text("off|load|force [load]");
  app.add_option("--tune-file", tuneFile,
                 "Where they are kept; default: PLAN.tune");
  app.add_option("--timeout", timeout,
                 "Seconds after which a rank that is missing or makes no "
                 "progress ends the job")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  app.add_flag("--debug-sync", debugSync,
               "Run programs step by step and wait for each: finds the step of "
               "a device error, the parameter of a NaN. Slow");
}

std::string DeviceFlags::tokenizerDirectory() const {
  if (!tokenizer.empty())
    return tokenizer;
  if (randomWeights())
    fail(ExitCode::Usage, "--weights=", weights,
         " brings no tokenizer: give --tokenizer");
  return weights;
}

/// "random" is 0, "random:7" is 7.
static std::uint64_t seedOf(const std::string &weights) {
  std::uint64_t seed = 0;
  auto colon = weights.find(':');
  if (colon == weights.npos)
    return seed;
  const char *end = weights.data() + weights.size();
  auto [rest, error] = std::from_chars(weights.data() + colon + 1, end, seed);
  if (error != std::errc() || rest != end)
    fail(ExitCode::Usage, "--weights=", weights, ": the seed is no number");
  return seed;
}

std::shared_ptr<const Plan> DeviceFlags::loadPlan() const {
  auto loaded = Plan::load(plan);
  std::uint64_t bytes = 0;
  for (auto part : plannedBytes(*loaded))
    bytes += part;
  if (deviceMemory && bytes > deviceMemory)
    refuseMemory(*loaded, "--device-memory's limit",
                 {deviceMemory, deviceMemory});
  job = Job::begin(*loaded, timeout);
  return loaded;
}

unsigned DeviceFlags::threadCount() const {
  unsigned local = job ? job->world().localSize : 1;
  if (threads || local <= 1)
    return threads;
  return std::max(1u, std::thread::hardware_concurrency() / local);
}

/// What a number means, however it is written: 1e-3 is 0.001.
static std::string canonical(const std::string &text) {
  double value = 0;
  const char *end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end ? shortest(value) : text;
}

void DeviceFlags::agree(const Ranks &ranks, Settings settings) const {
  // Where files are and how a host is used; what the files hold is compared,
  // and rank 0 alone writes.
  static const std::set<std::string> kOfTheHost{
      "plan",         "--weights",       "--tokenizer",
      "--threads",    "--device-memory", "--gpu",
      "--tune",       "--tune-file",     "--timeout",
      "--debug-sync", "--data",          "--validation-file",
      "--init-from",  "--adapter",       "--resume",
      "--output-dir", "--logits-out",    "--overwrite-output-dir",
      "--json",       "--trace",         "--save-checkpoint",
      "--output",     "--top",           "--no-ceilings"};
  for (const CLI::Option *option : command->get_options()) {
    auto name = option->get_name();
    if (kOfTheHost.contains(name))
      continue;
    std::string value;
    for (auto &word : option->results())
      value += (value.empty() ? "" : ",") + canonical(word);
    if (option->empty())
      value = canonical(option->get_default_str());
    if (!value.empty())
      settings[name] = value;
  }
  agreeOnSettings(settings, ranks);
}

/// A launcher may have given each rank a GPU of its own to see.
static bool seesOneGpu() {
  auto visible = processEnvironment()("CUDA_VISIBLE_DEVICES");
  return visible && visible->find(',') == visible->npos;
}

Ranks DeviceFlags::ranks(const Plan &loaded) const {
  return job ? Ranks(loaded, job->peers.get()) : Ranks();
}

unsigned DeviceFlags::ordinal() const {
  if (!job || job->world().localSize <= 1 || seesOneGpu())
    return gpu;
  return gpu + job->world().localRank;
}

std::unique_ptr<Session> DeviceFlags::open(std::shared_ptr<const Plan> loaded,
                                           std::uint64_t seed) const {
  // Before the device takes memory: this names what is wrong with the files.
  std::optional<HfCheckpoint> checkpoint;
  std::uint64_t weightSeed = 0;
  if (randomWeights())
    weightSeed = seedOf(weights);
  else
    checkpoint = HfCheckpoint::open(weights);
  Ranks here = ranks(*loaded);
  if (!here.alone())
    agreeOnSettings(
        {{"--weights", checkpoint ? fingerprintOf(*checkpoint)
                                  : "random:" + std::to_string(weightSeed)}},
        here);
  DeviceOptions options;
  options.threads = threadCount();
  options.ordinal = ordinal();
  options.tune = tune;
  options.tuneFile = tuneFile.empty() ? plan + ".tune" : tuneFile;
  options.note = [](const std::string &text) {
    std::fprintf(stderr, "llamarun: %s\n", text.c_str());
  };
  auto device = createDevice(viewOf(loaded->target().kind()), options);
  Communicators *communicators =
      job ? &job->makeCommunicators(*loaded, *device) : nullptr;
  auto session = std::make_unique<Session>(
      std::move(loaded), std::move(device),
      SessionOptions{.communicators = communicators, .debugSync = debugSync});
  if (checkpoint)
    loadWeights(*session, *checkpoint, threadCount(), here);
  else
    drawWeights(*session, weightSeed, threadCount(), here);
  initializeTensors(*session, seed, here);
  return session;
}

} // namespace llamarun
