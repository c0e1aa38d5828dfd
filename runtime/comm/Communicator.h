//===- Communicator.h - Collectives between devices ------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Grid.h"
#include "runtime/comm/Peers.h"
#include "runtime/device/Device.h"

#include <memory>
#include <span>

namespace llamarun {

/// One step of a plan: table Collective. `source` and `target` may be the same
/// range (in place) where their sizes are equal.
struct CollectiveCall {
  fb::CollectiveKind kind{};
  fb::DType dtype{};
  DeviceRange source, target;
};

/// The collectives of one plan on one rank: a communicator for each set of axes
/// that its steps use. Work is put on a stream of the device and is captured in
/// its graphs; every rank of a group enqueues the same calls in the same order.
/// Sums are taken in an order that depends on the group's size and the number
/// of elements alone, and all ranks get the same bytes.
class Communicators {
public:
  virtual ~Communicators() = default;
  virtual const Grid &grid() const = 0;
  /// This process's rank in the grid.
  virtual unsigned rank() const = 0;

  /// Called outside capture for each collective before its program is captured:
  /// makes the communicator, registers memory. \throws Error(BadInput) for a
  /// dtype or size that cannot be done.
  virtual void prepare(Device &device, std::span<const std::uint8_t> axes,
                       const CollectiveCall &call) = 0;
  virtual void enqueue(Device &device, StreamId stream,
                       std::span<const std::uint8_t> axes,
                       const CollectiveCall &call) = 0;
  /// From any thread: calls that wait for a peer throw Error(PeerLost).
  virtual void abort() noexcept = 0;
};

/// Gloo for a device of kind "cpu", NCCL for "cuda"; for a world of one,
/// collectives are copies. `peers` serves to exchange addresses and ids.
std::unique_ptr<Communicators> createCommunicators(const Plan &plan,
                                                   Peers &peers,
                                                   Device &device);

} // namespace llamarun
