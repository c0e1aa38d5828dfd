#include "runtime/comm/Nccl.h"

#include "runtime/comm/NcclGroup.h"
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
    watcher = std::thread([this] { watch(); });
    subscription = peers.onLost([this](const PeerFailure &) { abort(); });
  }

  ~NcclCommunicators() override {
    subscription.reset();
    {
      std::lock_guard lock(mutex);
      leaving = true;
    }
    wake.notify_all();
    watcher.join();
  }

  const Grid &grid() const override { return theGrid; }
  unsigned rank() const override { return peers.world().rank; }

  void prepare(Device &, std::span<const std::uint8_t>,
               const CollectiveCall &) override {}

  void enqueue(Device &device, StreamId stream,
               std::span<const std::uint8_t> axes,
               const CollectiveCall &call) override {
    auto found = groups.find(groupKey(theGrid, axes));
    if (found == groups.end()) {
      if (call.source.pointer != call.target.pointer)
        device.copy(stream, call.target, call.source);
      return;
    }
    auto *gpu = CudaAccess::of(device);
    gpu->cudaContext().use();
    try {
      found->second.enqueue(call, gpu->cudaStream(stream));
    } catch (const Error &error) {
      throw CollectiveError(error.code(), call.title + ": " + error.what());
    }
    gpu->cudaEnqueued(stream);
  }

  void launched(std::string_view title) override { peers.setCollective(title); }

  void check() override {
    bool broken;
    std::string why;
    {
      std::lock_guard lock(mutex);
      broken = aborting;
      why = cause;
    }
    if (!broken)
      return;
    // The control plane tells who it was, if it knows by now.
    peers.check();
    fail(ExitCode::PeerLost,
         why.empty() ? std::string("a collective ended because a peer was lost")
                     : why);
  }

  void abort() noexcept override {
    {
      std::lock_guard lock(mutex);
      aborting = true;
    }
    wake.notify_all();
  }

private:
  Grid theGrid;
  Peers &peers;
  std::map<std::uint64_t, NcclGroup> groups; ///< by groupKey
  std::mutex mutex;                          ///< of what follows
  std::condition_variable wake;
  bool aborting = false, leaving = false;
  std::string cause; ///< what NCCL said, if it was NCCL that saw it
  std::thread watcher;
  Peers::Subscription subscription;

  /// The first member of each group draws its id; everybody hears of all.
  void connectAll(const Plan &plan, const NcclLibrary &nccl) {
    auto me = peers.world().rank;
    auto keys = communicatorsOf(plan);
    std::vector<unsigned> roots;
    std::string mine;
    for (auto key : keys) {
      auto ranks = theGrid.group(me, groupAxes(key));
      auto index = static_cast<std::uint32_t>(
          std::find(ranks.begin(), ranks.end(), me) - ranks.begin());
      auto &group =
          groups
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
      groups.at(keys[i]).connect(all[roots[i]].substr(at, NcclGroup::kIdBytes));
    }
  }

  /// Aborting may wait for kernels: not in a thread of the control plane.
  void watch() {
    std::unique_lock lock(mutex);
    while (!leaving) {
      wake.wait_for(lock, kWatch, [this] { return leaving || aborting; });
      for (auto &[key, group] : groups)
        if (auto result = group.asyncError();
            result != ncclSuccess && !aborting) {
          aborting = true;
          cause = std::string("NCCL: ") +
                  NcclLibrary::get().ncclGetErrorStringFn(result);
        }
      if (!aborting)
        continue;
      lock.unlock();
      for (auto &[key, group] : groups)
        group.abort();
      return;
    }
  }
};

} // namespace

std::unique_ptr<Communicators>
createNcclCommunicators(const Plan &plan, Peers &peers, Device &device) {
  return std::make_unique<NcclCommunicators>(plan, peers, device);
}

} // namespace llamarun
