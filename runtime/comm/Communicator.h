//===- Communicator.h - Collectives between devices ------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Grid.h"
#include "runtime/comm/Peers.h"
#include "runtime/device/Device.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace llamarun {

/// One communicator: who takes part, and on which stream.
struct CommunicatorKey {
  std::uint64_t axes = 0; ///< groupKey
  StreamId stream = 0;
  auto operator<=>(const CommunicatorKey &) const = default;
};

/// One step of a plan: table Collective. `source` and `target` may be the same
/// range (in place) where their sizes are equal.
struct CollectiveCall {
  fb::CollectiveKind kind{};
  fb::DType dtype{};
  DeviceRange source, target;
  /// The stream of the step in the plan, whatever stream it is put on: what
  /// tells the communicators of one group apart.
  StreamId stream = 0;
  /// For messages: "plan.fb: program 'train_64', step 7 (all_reduce sum over
  /// dp, loc(...))".
  std::string title{};
  /// The kernel of the step behind it takes the sum, where it can.
  bool inKernel = false;
};

/// What a kernel that takes a sum is told, after its own arguments and in this
/// order (plan.fbs, table Launch). Rank -1: the sum has been taken.
struct KernelSum {
  std::int64_t rank = -1; ///< among the group's members
  std::int64_t bytes = 0; ///< of the term
  std::int64_t slot = 0;  ///< bytes from sender to sender in an inbox
  std::int64_t inboxes = 0, state = 0, abort = 0; ///< addresses
};

/// A collective that failed while it ran. The message begins with its title.
class CollectiveError : public Error {
public:
  using Error::Error;
};

/// The collectives of one plan on one rank: a communicator for each set of axes
/// and stream that its steps use, all made before the first of them runs. Work
/// is put on a stream of the device and is captured in its graphs; every rank
/// of a group enqueues the same calls of one stream in the same order, and what
/// is on different streams may interleave in any way. All ranks get the same
/// bytes, and sums are taken in an order that depends on the group's size and
/// the number of elements alone.
///
/// The group's members are in ascending order of rank: an AllGather's target
/// has their sources in this order, a ReduceScatterSum's target is the part of
/// the source with the member's index, and a Broadcast is from the first one.
///
/// Ends after Peers::leave(): what it still has to send a slower rank would be
/// lost otherwise. Must not outlive plan or peers.
class Communicators {
public:
  virtual ~Communicators() = default;
  virtual const Grid &grid() const = 0;
  /// This process's rank in the grid.
  virtual unsigned rank() const = 0;

  /// Memory (Device::allocateShared) that collectives of `axes` and `stream`
  /// touch: the members' GPUs may then write to each other's. All members of
  /// the group call it with the same size, at the same place among their calls.
  virtual void share(const CommunicatorKey &key, void *pointer,
                     std::uint64_t bytes) {}
  /// Before such memory is freed, by all members; also if it was never shared.
  virtual void forget(void *pointer) noexcept {}

  /// Called outside capture for each collective before its program is captured.
  /// \throws Error(BadInput) for a dtype or size that cannot be done.
  virtual void prepare(Device &device, std::span<const std::uint8_t> axes,
                       const CollectiveCall &call) = 0;
  /// On a CPU, work that throws CollectiveError when it runs.
  virtual void enqueue(Device &device, StreamId stream,
                       std::span<const std::uint8_t> axes,
                       const CollectiveCall &call) = 0;
  /// For the kernel behind a collective with `inKernel`, which enqueue has left
  /// out if the rank is not -1.
  virtual KernelSum kernelSum(std::span<const std::uint8_t> axes,
                              const CollectiveCall &call) {
    return {};
  }
  /// A graph with collectives was put on a stream: for messages, on a device
  /// where nobody sees the single ones begin.
  virtual void launched(std::string_view title) {}
  /// Called after waiting for the device. \throws Error if a collective ended
  /// because a peer was lost: what it should have written is not there.
  virtual void check() {}
  /// Called when check threw or the device failed, which may be another rank's
  /// doing: waits a moment. \throws Error with the cause, once the control
  /// plane knows one.
  virtual void explain() {}
  /// From any thread: calls that wait for a peer throw Error(PeerLost). Happens
  /// by itself when Peers tells of a loss.
  virtual void abort() noexcept = 0;
};

/// Gloo for a device of kind "cpu", NCCL for "cuda"; for a world of one,
/// collectives are copies. `peers` serves to exchange addresses and ids: every
/// rank calls this at the same place among its calls of Peers.
/// \throws Error(BadInput) unless the world has as many ranks as the grid.
std::unique_ptr<Communicators>
createCommunicators(const Plan &plan, Peers &peers, Device &device);

/// `axes` as a bit mask, without those that have one device; 0 for a rank
/// alone.
std::uint64_t groupKey(const Grid &grid, std::span<const std::uint8_t> axes);
/// The axes of a groupKey, ascending.
std::vector<std::uint8_t> groupAxes(std::uint64_t key);

/// CommunicatorKey of all collectives of the plan's programs, each once,
/// ascending, without those of a rank alone.
std::vector<CommunicatorKey> communicatorsOf(const Plan &plan);

} // namespace llamarun
