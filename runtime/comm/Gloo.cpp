#include "runtime/comm/Gloo.h"

#include "runtime/comm/GlooModule.h"
#include "runtime/comm/LocalAddress.h"
#include "runtime/comm/Reduce.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

namespace llamarun {
namespace {

// Latency counts below, bandwidth above: bytes that a rank sends in all.
constexpr std::uint64_t kOneShot = 32 * 1024;
// Elements of all ranks that are under way at once.
constexpr std::uint64_t kPiece = 4 * 1024 * 1024;
// Seconds that a member of a group waits for another to connect. All have just
// spoken to each other through Peers.
constexpr std::uint32_t kPatience = 20;
// How long the control plane may take to tell why a connection broke.
constexpr auto kVerdict = std::chrono::seconds(2);

char *bytesOf(const DeviceRange &range) {
  return static_cast<char *>(range.pointer);
}

/// The ranks that differ along some axes, and how to reach them.
class Group {
public:
  Group(Peers &peers, std::vector<unsigned> ranks)
      : gloo(glooTable()), peers(peers), ranks(std::move(ranks)) {
    mine = static_cast<std::uint32_t>(
        std::find(this->ranks.begin(), this->ranks.end(), peers.world().rank) -
        this->ranks.begin());
  }
  ~Group() {
    if (handle)
      gloo.close(handle);
  }
  Group(const Group &) = delete;
  Group &operator=(const Group &) = delete;

  std::uint32_t size() const {
    return static_cast<std::uint32_t>(ranks.size());
  }

  /// Listens; the bytes are for everybody.
  std::string open(const std::string &address) {
    char error[GlooTable::kError] = "";
    handle = gloo.open(address.c_str(), mine, size(), kPatience, error);
    if (!handle)
      fail(ExitCode::PeerLost, "Gloo cannot listen at ", address, ": ", error);
    std::string text(std::size_t{size()} * GlooTable::kAddress, '\0');
    for (std::uint32_t i = 0; i < size(); ++i)
      if (i != mine)
        gloo.address(handle, i, text.data() + i * GlooTable::kAddress);
    return text;
  }

  /// `opened`: what each rank's open() gave, from byte `at` on.
  void connect(const std::vector<std::string> &opened, std::size_t at) {
    for (std::uint32_t i = 0; i < size(); ++i) {
      if (i == mine)
        continue;
      auto &theirs = opened[ranks[i]];
      char error[GlooTable::kError] = "different plans";
      if (at + (mine + 1) * GlooTable::kAddress > theirs.size() ||
          gloo.connect(handle, i,
                       theirs.data() + at + mine * GlooTable::kAddress,
                       error) != GlooResult::Done)
        lost("cannot connect to rank " + std::to_string(ranks[i]) + ": " +
             error);
    }
  }

  void run(const CollectiveCall &call) {
    auto count = call.source.bytes / sizeOf(call.dtype);
    switch (call.kind) {
    case fb::CollectiveKind::AllReduceSum:
      return allReduce(call, count, Reduction::Sum);
    case fb::CollectiveKind::AllReduceMax:
      return allReduce(call, count, Reduction::Max);
    case fb::CollectiveKind::AllGather:
      return allGather(call);
    case fb::CollectiveKind::ReduceScatterSum:
      return reduceScatter(call, count);
    case fb::CollectiveKind::Broadcast:
      return broadcast(call);
    }
  }

  void abort() noexcept {
    aborted = true;
    if (handle)
      gloo.abort(handle);
  }

private:
  using Transfers = std::vector<GlooTransfer>;

  const GlooTable &gloo;
  Peers &peers;
  std::vector<unsigned> ranks;
  std::uint32_t mine = 0;
  void *handle = nullptr;
  std::atomic<bool> aborted{false};
  std::vector<std::uint64_t> staging; ///< aligned for every dtype

  void exchange(const Transfers &sends, const Transfers &receives) {
    char error[GlooTable::kError] = "";
    auto result = gloo.exchange(
        handle, sends.data(), static_cast<std::uint32_t>(sends.size()),
        receives.data(), static_cast<std::uint32_t>(receives.size()), error);
    if (result != GlooResult::Done)
      lost(result == GlooResult::Aborted ? "ended because a peer was lost"
                                         : error);
  }

  /// The control plane knows better than a broken connection who is to blame.
  [[noreturn]] void lost(const std::string &why) {
    auto end = std::chrono::steady_clock::now() + kVerdict;
    do {
      peers.check();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } while (!aborted && std::chrono::steady_clock::now() < end);
    peers.check();
    fail(ExitCode::PeerLost, why);
  }

  /// `slots` places of `bytes` each, one after another.
  char *stage(std::uint64_t slots, std::uint64_t bytes) {
    auto words = (slots * bytes + 7) / 8;
    if (staging.size() < words)
      staging.resize(words);
    return reinterpret_cast<char *>(staging.data());
  }

  /// Reduces `count` elements: this rank's at `own`, the others' in their
  /// places of the staging memory.
  void reduceStaged(Reduction reduction, fb::DType dtype, char *target,
                    const char *own, const char *staged, std::uint64_t bytes) {
    std::vector<const void *> parts(size());
    for (std::uint32_t i = 0; i < size(); ++i)
      parts[i] = i == mine ? own : staged + i * bytes;
    reduceInOrder(reduction, dtype, target, parts, bytes / sizeOf(dtype));
  }

  void allReduce(const CollectiveCall &call, std::uint64_t count,
                 Reduction reduction) {
    if (call.source.bytes * (size() - 1) <= kOneShot)
      return oneShot(call, reduction);
    auto width = sizeOf(call.dtype);
    auto n = size();
    auto perPiece = std::max<std::uint64_t>(n, kPiece / width);
    // Sums of one piece travel with the elements of the next.
    std::uint64_t before = 0, beforeEnd = 0;
    for (std::uint64_t begin = 0;; begin = beforeEnd) {
      auto end = std::min(count, begin + perPiece);
      auto part = [&](std::uint64_t from, std::uint64_t to, std::uint64_t i) {
        return (from + (to - from) * i / n) * width;
      };
      auto own = part(begin, end, mine);
      auto ownBytes = part(begin, end, mine + 1) - own;
      auto *staged = stage(n, ownBytes);
      Transfers sends, receives;
      auto add = [](Transfers &list, std::uint32_t i, char *at,
                    std::uint64_t bytes) {
        if (bytes)
          list.push_back({i, at, bytes});
      };
      for (std::uint32_t i = 0; i < n; ++i) {
        if (i == mine)
          continue;
        auto sums = part(before, beforeEnd, mine),
             theirs = part(before, beforeEnd, i);
        add(sends, i, bytesOf(call.target) + sums,
            part(before, beforeEnd, mine + 1) - sums);
        add(receives, i, bytesOf(call.target) + theirs,
            part(before, beforeEnd, i + 1) - theirs);
        auto at = part(begin, end, i);
        add(sends, i, bytesOf(call.source) + at, part(begin, end, i + 1) - at);
        add(receives, i, staged + i * ownBytes, ownBytes);
      }
      exchange(sends, receives);
      if (begin == end)
        return;
      reduceStaged(reduction, call.dtype, bytesOf(call.target) + own,
                   bytesOf(call.source) + own, staged, ownBytes);
      before = begin;
      beforeEnd = end;
    }
  }

  void oneShot(const CollectiveCall &call, Reduction reduction) {
    auto bytes = call.source.bytes;
    auto *staged = stage(size(), bytes);
    exchangeAll(call.source.pointer, bytes, staged);
    reduceStaged(reduction, call.dtype, bytesOf(call.target),
                 bytesOf(call.source), staged, bytes);
  }

  /// `bytes` of each rank to everybody, into places of `into` by index.
  void exchangeAll(void *own, std::uint64_t bytes, char *into) {
    Transfers sends, receives;
    for (std::uint32_t i = 0; bytes && i < size(); ++i)
      if (i != mine) {
        sends.push_back({i, own, bytes});
        receives.push_back({i, into + i * bytes, bytes});
      }
    exchange(sends, receives);
  }

  void allGather(const CollectiveCall &call) {
    auto bytes = call.source.bytes;
    exchangeAll(call.source.pointer, bytes, bytesOf(call.target));
    std::memcpy(bytesOf(call.target) + mine * bytes, call.source.pointer,
                bytes);
  }

  void reduceScatter(const CollectiveCall &call, std::uint64_t count) {
    auto width = sizeOf(call.dtype);
    auto part = count / size() * width;
    auto piece = std::max<std::uint64_t>(1, kPiece / width / size()) * width;
    for (std::uint64_t begin = 0; begin < part; begin += piece) {
      auto bytes = std::min(piece, part - begin);
      auto *staged = stage(size(), bytes);
      Transfers sends, receives;
      for (std::uint32_t i = 0; i < size(); ++i)
        if (i != mine) {
          sends.push_back({i, bytesOf(call.source) + i * part + begin, bytes});
          receives.push_back({i, staged + i * bytes, bytes});
        }
      exchange(sends, receives);
      reduceStaged(Reduction::Sum, call.dtype, bytesOf(call.target) + begin,
                   bytesOf(call.source) + mine * part + begin, staged, bytes);
    }
  }

  void broadcast(const CollectiveCall &call) {
    Transfers sends, receives;
    if (mine != 0)
      receives.push_back({0, call.target.pointer, call.target.bytes});
    for (std::uint32_t i = 1; mine == 0 && i < size(); ++i)
      sends.push_back({i, call.source.pointer, call.source.bytes});
    exchange(sends, receives);
    if (mine == 0 && call.source.pointer != call.target.pointer)
      std::memcpy(call.target.pointer, call.source.pointer, call.source.bytes);
  }
};

class GlooCommunicators final : public Communicators {
public:
  GlooCommunicators(const Plan &plan, Peers &peers)
      : theGrid(plan), peers(peers) {
    auto me = peers.world().rank;
    auto address = ownAddress();
    std::string mine;
    std::vector<std::pair<Group *, std::size_t>> made;
    for (auto [key, stream] : communicatorsOf(plan)) {
      if (groups.count(key))
        continue; // host functions have one order, whatever their streams
      auto &group =
          groups.try_emplace(key, peers, theGrid.group(me, groupAxes(key)))
              .first->second;
      made.emplace_back(&group, mine.size());
      mine += group.open(address);
    }
    auto all = peers.allGather(mine);
    for (auto [group, at] : made)
      group->connect(all, at);
    subscription = peers.onLost([this](const PeerFailure &) { abort(); });
  }

  const Grid &grid() const override { return theGrid; }
  unsigned rank() const override { return peers.world().rank; }

  void prepare(Device &, std::span<const std::uint8_t>,
               const CollectiveCall &call) override {
    bool moves = call.kind == fb::CollectiveKind::AllGather ||
                 call.kind == fb::CollectiveKind::Broadcast;
    if (!moves && !isReducible(call.dtype))
      fail(ExitCode::BadInput, "the CPU reduces no ", nameOf(call.dtype));
  }

  void enqueue(Device &device, StreamId stream,
               std::span<const std::uint8_t> axes,
               const CollectiveCall &call) override {
    auto found = groups.find(groupKey(theGrid, axes));
    if (found == groups.end()) {
      if (call.source.pointer != call.target.pointer)
        device.copy(stream, call.target, call.source);
      return;
    }
    auto *group = &found->second;
    device.hostWork(stream, {call.source}, {call.target}, [this, group, call] {
      peers.setCollective(call.title);
      try {
        group->run(call);
      } catch (const Error &error) {
        throw CollectiveError(error.code(), call.title + ": " + error.what());
      }
    });
  }

  void abort() noexcept override {
    for (auto &[key, group] : groups)
      group.abort();
  }

private:
  Grid theGrid;
  Peers &peers;
  std::map<std::uint64_t, Group> groups; ///< by groupKey
  Peers::Subscription subscription;      ///< ends before them

  /// Where the others reach this rank. On rank 0's host the master's name may
  /// lead to the loopback interface; when others come from elsewhere, it is the
  /// interface towards them that counts.
  std::string ownAddress() {
    auto address = localAddressTowards(peers.world().masterAddress);
    for (auto &other : peers.allGather(address))
      if (isLoopback(address) && !isLoopback(other))
        address = localAddressTowards(other);
    return address;
  }
};

} // namespace

std::unique_ptr<Communicators> createGlooCommunicators(const Plan &plan,
                                                       Peers &peers) {
  return std::make_unique<GlooCommunicators>(plan, peers);
}

} // namespace llamarun
