#include "runtime/comm/Nccl.h"

#include "runtime/comm/NcclGroup.h"
#include "runtime/comm/PeerMemory.h"
#include "runtime/device/cuda/CudaAccess.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <thread>

namespace llamarun {
namespace {

// How long an error that only NCCL sees may stay unseen.
constexpr auto kWatch = std::chrono::milliseconds(50);

// How long the control plane may take to tell why the device failed.
constexpr auto kVerdict = std::chrono::seconds(1);
// ncclCommAbort ends kernels at once but may itself wait for what a dead peer
// will never do.
constexpr auto kLastWait = std::chrono::seconds(2);

/// The communicators, and the thread that looks after them.
struct Watched {
  std::map<CommunicatorKey, NcclGroup> groups;
  std::map<CommunicatorKey, PeerMemory> inboxes; ///< of those that have some
  std::mutex mutex;                              ///< of what follows
  std::condition_variable wake;
  bool aborting = false, leaving = false, ended = false;
  std::string cause; ///< what NCCL said, if it was NCCL that saw it

  void watch() {
    std::unique_lock lock(mutex);
    while (!leaving && !aborting) {
      wake.wait_for(lock, kWatch, [this] { return leaving || aborting; });
      for (auto &[key, group] : groups) {
        auto result = group.asyncError();
        if (result == ncclSuccess || aborting)
          continue;
        aborting = true;
        cause = std::string("NCCL: ") +
                NcclLibrary::get().ncclGetErrorStringFn(result);
      }
    }
    if (aborting) {
      for (auto &[key, inbox] : inboxes)
        inbox.abort();
      lock.unlock(); // not in a thread of the control plane: this may take long
      for (auto &[key, group] : groups)
        group.refuse();
      for (auto &[key, group] : groups)
        group.abort();
      lock.lock();
    }
    ended = true;
    wake.notify_all();
  }
};

class NcclCommunicators final : public Communicators {
public:
  NcclCommunicators(const Plan &plan, Peers &peers, Device &device)
      : theGrid(plan), peers(peers) {
    auto *gpu = CudaAccess::of(device);
    if (!gpu)
      fail(ExitCode::BadInput, "NCCL on device '", device.kind(), "'");
    auto &nccl = NcclLibrary::get();
    gpu->cudaContext().use();
    connectAll(plan, nccl);
    mapAll(plan, gpu->cudaContext());
    watcher = std::thread([state = state] { state->watch(); });
    subscription = peers.onLost([this](const PeerFailure &) { abort(); });
  }

  ~NcclCommunicators() override {
    subscription.reset();
    std::unique_lock lock(state->mutex);
    state->leaving = true;
    state->wake.notify_all();
    bool ended =
        state->wake.wait_for(lock, kLastWait, [this] { return state->ended; });
    lock.unlock();
    if (ended)
      watcher.join();
    else
      watcher.detach(); // it has its share of the state
  }

  const Grid &grid() const override { return theGrid; }
  unsigned rank() const override { return peers.world().rank; }

  void share(const CommunicatorKey &key, void *pointer,
             std::uint64_t bytes) override {
    if (auto found = state->groups.find(key); found != state->groups.end())
      found->second.share(pointer, bytes);
  }
  void forget(void *pointer) noexcept override {
    for (auto &[key, group] : state->groups)
      group.forget(pointer);
  }

  void prepare(Device &, std::span<const std::uint8_t>,
               const CollectiveCall &) override {}

  void enqueue(Device &device, StreamId stream,
               std::span<const std::uint8_t> axes,
               const CollectiveCall &call) override {
    auto found = state->groups.find({groupKey(theGrid, axes), call.stream});
    if (found == state->groups.end()) {
      if (call.source.pointer != call.target.pointer)
        device.copy(stream, call.target, call.source);
      return;
    }
    if (call.inKernel && mappedFor(axes, call))
      return;
    auto *gpu = CudaAccess::of(device);
    gpu->cudaContext().use();
    try {
      found->second.enqueue(call, gpu->cudaStream(stream));
    } catch (const Error &error) {
      throw CollectiveError(error.code(), call.title + ": " + error.what());
    }
    gpu->cudaEnqueued(stream);
  }

  KernelSum kernelSum(std::span<const std::uint8_t> axes,
                      const CollectiveCall &call) override {
    auto *inbox = mappedFor(axes, call);
    return inbox ? inbox->arguments(call.source.bytes) : KernelSum{};
  }

  void launched(std::string_view title) override { peers.setCollective(title); }

  void check() override {
    std::string why;
    {
      std::lock_guard lock(state->mutex);
      if (!state->aborting)
        return;
      why = state->cause;
    }
    // The control plane tells who it was, if it knows by now.
    peers.check();
    fail(ExitCode::PeerLost,
         why.empty() ? std::string("a collective ended because a peer was lost")
                     : why);
  }

  void explain() override {
    auto end = std::chrono::steady_clock::now() + kVerdict;
    for (; std::chrono::steady_clock::now() < end;
         std::this_thread::sleep_for(std::chrono::milliseconds(10)))
      peers.check();
  }

  void abort() noexcept override {
    std::lock_guard lock(state->mutex);
    state->aborting = true;
    for (auto &[key, inbox] : state->inboxes)
      inbox.abort();
    state->wake.notify_all();
  }

private:
  Grid theGrid;
  Peers &peers;
  std::shared_ptr<Watched> state = std::make_shared<Watched>();
  std::thread watcher;
  Peers::Subscription subscription;

  const PeerMemory *mappedFor(std::span<const std::uint8_t> axes,
                              const CollectiveCall &call) const {
    auto found = state->inboxes.find({groupKey(theGrid, axes), call.stream});
    return found != state->inboxes.end() && found->second.isMapped()
               ? &found->second
               : nullptr;
  }

  /// For groups some of whose sums kernels take.
  void mapAll(const Plan &plan, const CudaContext &context) {
    std::map<CommunicatorKey, std::uint64_t> largest;
    for (std::size_t p = 0; p < plan.programCount(); ++p)
      for (auto *step : *plan.program(p).steps())
        if (auto *op = step->operation_as_Collective(); op && op->in_kernel()) {
          auto axes =
              groupKey(theGrid, {op->axes()->data(), op->axes()->size()});
          if (!axes)
            continue;
          auto &bytes = largest[{axes, step->stream()}];
          bytes = std::max(bytes, plan.bytes(op->source()));
        }
    for (auto &[key, bytes] : largest)
      state->inboxes.try_emplace(
          key, static_cast<unsigned>(context.gpu()), peers,
          theGrid.group(peers.world().rank, groupAxes(key.axes)), bytes);
  }

  /// The first member of each group draws its id; everybody hears of all.
  void connectAll(const Plan &plan, const NcclLibrary &nccl) {
    auto me = peers.world().rank;
    auto keys = communicatorsOf(plan);
    std::vector<unsigned> roots;
    std::string mine;
    for (auto key : keys) {
      auto ranks = theGrid.group(me, groupAxes(key.axes));
      auto index = static_cast<std::uint32_t>(
          std::find(ranks.begin(), ranks.end(), me) - ranks.begin());
      auto &group =
          state->groups
              .try_emplace(key, nccl, peers,
                           static_cast<std::uint32_t>(ranks.size()), index)
              .first->second;
      roots.push_back(ranks[0]);
      mine +=
          index == 0 ? group.drawId() : std::string(NcclGroup::kIdBytes, '\0');
    }
    auto all = peers.allGather(mine);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      auto at = i * NcclGroup::kIdBytes;
      if (all[roots[i]].size() < at + NcclGroup::kIdBytes)
        fail(ExitCode::BadInput, "rank ", roots[i], " has another plan");
      state->groups.at(keys[i]).connect(
          all[roots[i]].substr(at, NcclGroup::kIdBytes));
    }
  }
};

} // namespace

std::unique_ptr<Communicators>
createNcclCommunicators(const Plan &plan, Peers &peers, Device &device) {
  return std::make_unique<NcclCommunicators>(plan, peers, device);
}

} // namespace llamarun
