//===- PeerMemory.h - Inboxes that GPUs write to each other's --*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/comm/Peers.h"
#include "runtime/device/cuda/CudaContext.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace llamarun {

/// For kernels that take a sum over a group of GPUs by themselves (plan.fbs,
/// Collective.in_kernel): an inbox on each GPU, in memory that the other
/// members' GPUs have mapped, and what one call has to leave for the next. The
/// protocol is the kernels' (passes/codegen/GpuRowwiseSum.cpp).
class PeerMemory {
public:
  /// All ranks of the job call it at the same place. `ranks`: of the group,
  /// ascending, with this one. `bytes`: of the largest term. If a member cannot
  /// map all the others' memory (other hosts, no peer access,
  /// LLAMAC_PEER_MEMORY=0 in its environment) nobody does.
  PeerMemory(unsigned ordinal, Peers &peers,
             const std::vector<std::uint32_t> &ranks, std::uint64_t bytes);
  ~PeerMemory();
  PeerMemory(const PeerMemory &) = delete;
  PeerMemory &operator=(const PeerMemory &) = delete;

  bool isMapped() const { return mapped; }
  /// For a term of `bytes`.
  KernelSum arguments(std::uint64_t bytes) const;
  /// From any thread: kernels that wait for a peer end, with wrong results.
  void abort() noexcept;

private:
  CudaContext context; // of its own: the device may be gone before
  std::int64_t mine = 0;
  std::uint64_t slot = 0;
  CUdeviceptr inbox = 0, table = 0;
  std::vector<CUdeviceptr> opened;
  int *stop = nullptr; ///< in host memory, which the kernels look at
  bool mapped = false, aborted = false;

  void make(std::size_t devices);
  void release() noexcept;
};

/// Ranks that share a host, as far as their memory goes: the same on all of it.
std::string hostIdentity();

} // namespace llamarun
