#include "tools/llamarun/Job.h"

#include "runtime/launch/Launcher.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace llamarun {
namespace {

/// What a main thread may be busy with when the job ends: a collective that
/// nothing aborts, a read from a disk that hangs.
constexpr auto kLastChance = std::chrono::seconds(1);

std::shared_ptr<Job> theJob;

/// Says once why the job ends, to the process that started this rank or,
/// without one, to the user. Whoever comes second waits until it is said.
void tell(const PeerFailure &failure) {
  static std::mutex mutex;
  static bool told = false;
  std::lock_guard lock(mutex);
  if (!std::exchange(told, true) && !reportToLauncher(failure))
    printError(failure.message());
}

/// Runs in a thread of the control plane while the main thread may be stuck.
void whenLost(const PeerFailure &failure) {
  tell(failure);
  std::thread([code = static_cast<int>(failure.code)] {
    std::this_thread::sleep_for(kLastChance);
    _Exit(code);
  }).detach();
}

std::vector<std::string> ownArguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < all.size();) {
    std::size_t end = std::min(all.find('\0', at), all.size());
    arguments.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

/// "4 devices (dp 2, tp 2)"
std::string gridText(const Plan &plan) {
  std::string text = std::to_string(plan.gridSize()) +
                     (plan.gridSize() == 1 ? " device" : " devices");
  std::string axes;
  for (std::size_t i = 0; i < sizeOf(plan.root().grid()); ++i) {
    auto *axis = plan.root().grid()->Get(static_cast<unsigned>(i));
    if (axis->size() == 1)
      continue;
    axes += (axes.empty() ? "" : ", ") + std::string(viewOf(axis->name())) +
            " " + std::to_string(axis->size());
  }
  return axes.empty() ? text : text + " (" + axes + ")";
}

[[noreturn]] void launch(const Plan &plan) {
  LaunchOptions options;
  options.ranks = static_cast<unsigned>(plan.gridSize());
  options.arguments = ownArguments();
  std::fflush(nullptr);
  std::cout.flush();
  auto outcome = launchRanks(options);
  for (auto &cause : outcome.causes)
    printError(cause);
  throw JobEnded{outcome.code};
}

} // namespace

void printError(std::string message) {
  // A table (what takes the memory) becomes a list.
  for (std::size_t at; (at = message.find('\n')) != message.npos;) {
    std::size_t end = message.find_first_not_of(" \n", at);
    bool title = at > 0 && message[at - 1] == ':';
    message.replace(at, (end == message.npos ? message.size() : end) - at,
                    title ? " " : "; ");
  }
  std::fprintf(stderr, "llamarun: error: %s\n", message.c_str());
}

std::shared_ptr<Job> Job::current() { return theJob; }

std::shared_ptr<Job> Job::begin(const Plan &plan, double timeout) {
  if (theJob)
    return theJob;
  auto world = worldFromEnvironment(processEnvironment());
  if (!world && plan.gridSize() > 1)
    launch(plan);
  if (!world)
    world.emplace();
  if (world->size != plan.gridSize())
    fail(ExitCode::Usage, plan.path(), " is for ", gridText(plan),
         ", this job has ", world->size, world->size == 1 ? " rank" : " ranks",
         ": start as many ranks as devices, or none: without a launcher's "
         "variables llamarun starts those of one host itself");
  auto job = std::shared_ptr<Job>(new Job);
  job->peers =
      joinPeers(*world, "plan " + plan.hash() + ", llamarun " LLAMAC_VERSION,
                PeerOptions{.timeoutSeconds = timeout});
  job->subscriptions.push_back(job->peers->onLost(whenLost));
  return theJob = job;
}

Communicators &Job::makeCommunicators(const Plan &plan, Device &device) {
  communicators.push_back(createCommunicators(plan, *peers, device));
  auto &made = *communicators.back();
  subscriptions.push_back(
      peers->onLost([&made](const PeerFailure &) { made.abort(); }));
  return made;
}

void Job::leave() {
  peers->leave();
  // What a slower rank still waits for is sent before leave() returns.
  subscriptions.clear();
  communicators.clear();
}

int endJob(const Error &error) {
  PeerFailure failure;
  if (theJob) {
    theJob->peers->fail(error);
    if (auto first = theJob->peers->failure())
      failure = *first;
  }
  if (failure.cause.empty()) {
    // A world of one, or before the ranks met: each speaks for the job.
    failure.rank = PeerFailure::kJob;
    failure.cause = error.what();
    failure.code = error.code();
  }
  tell(failure);
  if (theJob && theJob->peers->world().size > 1) {
    // Aborting a communicator may take longer than this thread has to live, and
    // would then meet libraries that have been taken down.
    std::fflush(nullptr);
    std::cout.flush();
    _Exit(static_cast<int>(failure.code));
  }
  return static_cast<int>(failure.code);
}

} // namespace llamarun
