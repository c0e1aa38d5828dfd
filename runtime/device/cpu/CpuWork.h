//===- CpuWork.h - One operation, cut into chunks --------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cpu/Blas.h"
#include "runtime/device/cpu/CpuCode.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace llamarun {

/// An operation with everything resolved. Its chunks may run at once and in any
/// order; where they are cut never changes the bits of the result.
class CpuWork {
public:
  virtual ~CpuWork() = default;
  /// Must not throw.
  virtual void run(std::uint32_t chunk) const = 0;
  /// Throws what a host function threw in run().
  virtual void check() const {}

  std::uint32_t chunks = 1;
  double cost = 0; ///< of one chunk, about nanoseconds: to balance threads
  std::vector<DeviceRange> reads, writes;
  bool onHost = false;  ///< such works keep their order
  WorkTag tag = kNoTag; ///< Device::tagWork

  /// True if the two may not run at the same time.
  bool conflicts(const CpuWork &other) const;
};

/// How a GEMM is cut: along the longer side of D into equal tiles, a function
/// of the shape alone.
struct GemmTiles {
  bool alongRows = true;
  std::uint64_t size = 0; ///< rows or columns of one tile
  std::uint32_t count = 1;
};
GemmTiles tilesOf(std::uint64_t m, std::uint64_t n, std::uint64_t k);

/// \throws Error(BadInput) unless all operands are f32.
void checkCpuGemm(const GemmCall &call);

std::unique_ptr<CpuWork> makeGemmWork(const GemmCall &call, const Blas &blas);
/// `threads`: how many will share the work; ranges are multiples of the grain,
/// and a kernel's result does not depend on such cuts.
std::unique_ptr<CpuWork> makeLaunchWork(const LaunchCall &call,
                                        unsigned threads);
std::unique_ptr<CpuWork> makeCopyWork(DeviceRange target, DeviceRange source);
std::unique_ptr<CpuWork> makeFillWork(DeviceRange target, fb::DType dtype,
                                      double value);
/// One chunk, dear enough to be begun first: `work` may wait for other
/// processes.
std::unique_ptr<CpuWork> makeHostWork(std::vector<DeviceRange> reads,
                                      std::vector<DeviceRange> writes,
                                      std::function<void()> work);

} // namespace llamarun
