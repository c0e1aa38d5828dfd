#include "test/runtime/train/ThreadRanks.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace llamarun::test {
namespace {

/// What the ranks of one job share.
struct Room {
  explicit Room(unsigned size) : parts(size) {}
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> parts;
  unsigned present = 0;
  std::uint64_t round = 0;
  std::vector<std::string> result; ///< of the round before
  std::optional<Error> lost;
};

class ThreadPeers final : public Peers {
public:
  ThreadPeers(Room &room, unsigned rank, unsigned size) : room(room) {
    theWorld.rank = theWorld.localRank = rank;
    theWorld.size = theWorld.localSize = size;
  }
  const World &world() const override { return theWorld; }
  std::vector<std::string> allGather(std::string_view mine) override {
    std::unique_lock lock(room.mutex);
    if (room.lost)
      throw *room.lost;
    auto round = room.round;
    room.parts[theWorld.rank] = mine;
    if (++room.present == theWorld.size) {
      room.result = room.parts;
      room.present = 0;
      ++room.round;
      room.changed.notify_all();
    } else {
      room.changed.wait(lock, [&] { return room.round > round || room.lost; });
      if (room.round == round)
        throw *room.lost;
    }
    return room.result;
  }
  void setStep(std::int64_t) override {}
  void setCollective(std::string_view) override {}
  void progress() override {}
  Subscription onLost(std::function<void(const PeerFailure &)>) override {
    return nullptr;
  }
  void check() override {
    std::lock_guard lock(room.mutex);
    if (room.lost)
      throw *room.lost;
  }
  std::optional<PeerFailure> failure() const override { return std::nullopt; }
  void fail(const Error &error) noexcept override {
    std::lock_guard lock(room.mutex);
    if (!room.lost)
      room.lost = error;
    room.changed.notify_all();
  }
  void leave() override { barrier(); }

private:
  Room &room;
  World theWorld;
};

} // namespace

void runRanks(unsigned size, const std::function<void(Peers &)> &body) {
  Room room(size);
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (unsigned rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      ThreadPeers peers(room, rank, size);
      try {
        body(peers);
      } catch (...) {
        {
          std::lock_guard lock(mutex);
          if (!first)
            first = std::current_exception();
        }
        peers.fail(Error(ExitCode::PeerLost, "a rank of this test ended"));
      }
    });
  for (auto &thread : threads)
    thread.join();
  if (first)
    std::rethrow_exception(first);
}

void NoCommunicators::enqueue(Device &, StreamId, std::span<const std::uint8_t>,
                              const CollectiveCall &) {
  fail(ExitCode::BadInput, "a collective of a plan without any");
}

} // namespace llamarun::test
