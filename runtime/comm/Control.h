//===- Control.h - Peers over TCP ------------------------------*- C++ -*-===//
//
// A star: every rank has a connection to rank 0, which alone decides what the
// first failure was. Each process has one thread for the connections; the main
// thread only puts things into a mailbox and waits.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/comm/Join.h"
#include "runtime/comm/Peers.h"
#include "runtime/comm/Watch.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace llamarun {

class Control final : public Peers {
public:
  /// Takes over a meeting; starts the thread.
  Control(const World &world, Meeting meeting, const PeerOptions &options);
  /// Without leave() or fail() before, the others take this rank for dead.
  ~Control() override;

  const World &world() const override { return theWorld; }
  std::vector<std::string> allGather(std::string_view mine) override;
  void setStep(std::int64_t step) override;
  void setCollective(std::string_view titleAndLocation) override;
  void progress() override;
  Subscription onLost(std::function<void(const PeerFailure &)> action) override;
  void check() override;
  std::optional<PeerFailure> failure() const override;
  void fail(const Error &error) noexcept override;
  void leave() override;

private:
  using Clock = Watch::Clock;
  using Bytes = std::shared_ptr<const std::string>;
  /// Something to do when a peer is lost; empty once done or unsubscribed.
  struct Action {
    std::recursive_mutex mutex;
    std::function<void(const PeerFailure &)> call;
  };

  bool isHost() const { return theWorld.rank == 0; }
  // Main thread; the mutex is held.
  void post(std::string frame);
  void throwIfLost() const;
  PeerFailure describe(unsigned rank, std::string cause, ExitCode code) const;

  // The thread. What it shares with the main thread it touches under the mutex.
  void run();
  void wake();
  void waitForSockets(Clock::time_point until);
  void takeMail();
  void tick(Clock::time_point now);
  void judge(Clock::time_point now);
  void hear(unsigned rank, Clock::time_point now);
  void handleAtHost(unsigned rank, const Frame &frame, Clock::time_point now);
  void handleAtGuest(const Frame &frame, Clock::time_point now);
  void ended(unsigned rank, const std::string &cause);
  void collect(unsigned rank, std::uint64_t number, std::string bytes);
  void noteLeft(unsigned rank);
  void decide(PeerFailure cause);
  void suspect(PeerFailure cause, Clock::time_point now);
  void notePageFaults();
  void sendToAll(std::string frame);
  void writeAll();
  void callActions();
  void closeAll();
  unsigned rankOf(std::size_t connection) const {
    return isHost() ? static_cast<unsigned>(connection) : 0;
  }

  World theWorld;
  const double timeout, silence;
  const std::vector<std::string> hosts;
  std::vector<Connection> connections; ///< the thread's
  Descriptor wakeup;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<Bytes> mail; ///< frames for all connections
  Activity own, sent;
  Clock::time_point sentAt{};
  std::string ownCollective;
  std::vector<std::string> collectives; ///< of the others, by rank
  Watch watch;
  std::uint64_t gathered = 0;      ///< number of the last complete allGather
  std::vector<std::string> result; ///< of that call
  std::vector<std::string> parts; ///< at rank 0: of the next call, as they come
  std::vector<bool> present;      ///< at rank 0: which came
  bool allLeft = false;
  bool stopping = false;
  bool written = true; ///< nothing waits to be sent
  std::optional<PeerFailure> lost;
  /// The same without the mutex: waiting loops ask check() all the time, and
  /// would keep the thread out.
  std::atomic<bool> isLost{false};
  std::optional<PeerFailure> suspicion; ///< may be a mere consequence
  Clock::time_point suspectedAt;
  std::vector<std::shared_ptr<Action>> actions; ///< not yet called
  long pageFaults = 0;

  std::thread thread; ///< last: starts when all else is there
};

} // namespace llamarun
