// What the main thread calls; ControlThread.cpp has the other side.
#include "runtime/comm/Control.h"

#include <algorithm>
#include <csignal>
#include <sys/eventfd.h>
#include <unistd.h>

namespace llamarun {

/// Seconds without a sign of life after which a host counts as gone; signs go
/// out four times a second.
static constexpr double kSilence = 5;
/// How long fail() waits for the others to be told.
static constexpr auto kTelling = std::chrono::seconds(1);

/// The launcher may not say which of this host's ranks we are.
static World complete(World world, const std::vector<std::string> &hosts) {
  if (world.localSize)
    return world;
  world.localRank = 0;
  for (unsigned r = 0; r < hosts.size(); ++r) {
    bool here = hosts[r] == hosts[world.rank];
    world.localSize += here;
    world.localRank += here && r < world.rank;
  }
  return world;
}

Control::Control(const World &from, Meeting meeting, const PeerOptions &options)
    : theWorld(complete(from, meeting.hosts)), timeout(options.timeoutSeconds),
      silence(std::min(kSilence, options.timeoutSeconds)),
      hosts(std::move(meeting.hosts)),
      connections(std::move(meeting.connections)),
      wakeup(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), collectives(from.size),
      watch(from.size, timeout, silence, Clock::now()), parts(from.size),
      present(from.size) {
  if (!wakeup)
    llamarun::fail(ExitCode::PeerLost, "no file descriptor for the control "
                                       "plane");
  // Signals are the main thread's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Control::~Control() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  wake();
  thread.join();
}

void Control::wake() {
  std::uint64_t one = 1;
  // Fails only if it is to be woken already.
  [[maybe_unused]] auto ignored = ::write(wakeup.get(), &one, sizeof(one));
}

void Control::post(std::string frame) {
  mail.push_back(std::make_shared<const std::string>(std::move(frame)));
  written = false;
  wake();
}

void Control::throwIfLost() const {
  if (lost)
    throw Error(lost->code, lost->message());
}

PeerFailure Control::describe(unsigned rank, std::string cause,
                              ExitCode code) const {
  bool self = rank == theWorld.rank;
  return {rank,
          hosts[rank],
          std::move(cause),
          code,
          self ? own.step : watch.activity(rank).step,
          self ? ownCollective : collectives[rank]};
}

std::vector<std::string> Control::allGather(std::string_view mine) {
  if (mine.size() > kMostBytes)
    llamarun::fail(ExitCode::BadInput, "allGather of ", mine.size(),
                   " bytes; more than ", kMostBytes, " go in pieces");
  std::unique_lock lock(mutex);
  throwIfLost();
  std::uint64_t number = ++own.gathers;
  own.collectives = 0;
  if (isHost())
    collect(0, number, std::string(mine));
  else
    post(WireWriter(MessageKind::Gather).number(number).text(mine).frame());
  changed.wait(lock, [&] { return lost || gathered >= number; });
  throwIfLost();
  return std::exchange(result, {});
}

void Control::setStep(std::int64_t step) {
  std::lock_guard lock(mutex);
  if (own.step == step)
    return;
  if (own.step < 0)
    wake(); // from now on a failure is one of a step
  own.step = step;
  own.collectives = 0;
}

void Control::setCollective(std::string_view titleAndLocation) {
  std::lock_guard lock(mutex);
  ++own.collectives;
  ownCollective = titleAndLocation;
}

void Control::progress() {
  std::lock_guard lock(mutex);
  ++own.progress;
}

Peers::Subscription
Control::onLost(std::function<void(const PeerFailure &)> call) {
  auto action = std::make_shared<Action>();
  action->call = std::move(call);
  {
    std::lock_guard lock(mutex);
    actions.push_back(action);
  }
  wake();
  return Subscription(nullptr, [action](void *) {
    std::lock_guard lock(action->mutex);
    action->call = nullptr;
  });
}

void Control::check() {
  if (!isLost)
    return;
  std::lock_guard lock(mutex);
  throwIfLost();
}

std::optional<PeerFailure> Control::failure() const {
  if (!isLost)
    return std::nullopt;
  std::lock_guard lock(mutex);
  return lost;
}

void Control::fail(const Error &error) noexcept {
  try {
    std::unique_lock lock(mutex);
    if (!lost) {
      PeerFailure mine = describe(theWorld.rank, error.what(), error.code());
      if (!isHost()) {
        WireWriter report(MessageKind::Report);
        putFailure(report, mine);
        post(report.frame());
      } else if (error.code() == ExitCode::PeerLost) {
        suspect(mine, Clock::now());
      } else {
        decide(mine);
      }
      wake();
      changed.wait_for(lock, kTelling, [&] { return lost.has_value(); });
      if (!lost)
        decide(mine); // rank 0 does not answer
    }
    if (isHost())
      changed.wait_for(lock, kTelling, [&] { return written; });
  } catch (...) {
    // Out of memory: the others see the connection end.
  }
}

void Control::leave() {
  std::unique_lock lock(mutex);
  throwIfLost();
  own.left = true;
  if (isHost())
    noteLeft(0);
  else
    post(WireWriter(MessageKind::Goodbye).frame());
  wake();
  changed.wait(lock, [&] { return lost || allLeft; });
  throwIfLost();
}

} // namespace llamarun
