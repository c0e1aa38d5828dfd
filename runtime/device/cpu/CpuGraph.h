//===- CpuGraph.h - A captured program as waves of work --------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cpu/CpuTrace.h"
#include "runtime/device/cpu/CpuWork.h"
#include "runtime/device/cpu/ThreadPool.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace llamarun {

/// Work that touches disjoint memory runs together: each operation belongs to
/// the wave after the last one that has an operation it conflicts with. Small
/// GEMMs of adapters, which alone would keep one thread busy, so share the
/// threads with their neighbours. Dependences come from addresses, so they are
/// right whatever streams and events the plan has, and reuse of arena memory
/// counts as one. A wave has one host function at most; other threads sleep
/// while there is nothing but that to do.
class CpuGraph final : public Graph {
public:
  explicit CpuGraph(std::vector<std::unique_ptr<CpuWork>> works);

  void run(ThreadPool &pool) const;
  /// The same, with times of all chunks.
  void run(ThreadPool &pool, CpuTrace &trace) const;
  std::size_t waveCount() const { return waves.size(); }

private:
  struct Wave {
    std::vector<const CpuWork *> works; ///< expensive chunks first
    std::vector<std::uint32_t> ends;    ///< running sum of their chunks
    bool onHost = false;                ///< the first is a host function
  };
  std::vector<std::unique_ptr<CpuWork>> works;
  std::vector<Wave> waves;

  /// How the chunks of a wave are run: as they are, or with the time taken.
  struct Untraced;
  struct Traced;
  template <typename Way> void runWaves(ThreadPool &pool, Way way) const;
  static std::pair<const CpuWork *, std::uint32_t> find(const Wave &wave,
                                                        std::uint32_t chunk);
};

} // namespace llamarun
