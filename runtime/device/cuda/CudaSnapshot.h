//===- CudaSnapshot.h - A copy on the GPU, read beside the work -*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaContext.h"
#include "runtime/device/cuda/CudaStreams.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace llamarun {

/// Device::snapshot: one at a time, in memory that is kept for the next one. It
/// is not the plan's: 12 bytes a trainable parameter on this GPU, allocated by
/// the first snapshot.
class CudaSnapshots {
public:
  explicit CudaSnapshots(const CudaContext &context) : context(context) {}
  ~CudaSnapshots();
  CudaSnapshots(const CudaSnapshots &) = delete;
  CudaSnapshots &operator=(const CudaSnapshots &) = delete;

  /// Copies after the work of `streams`' stream 0. Null while another one lives
  /// or where the GPU has no room.
  std::unique_ptr<Snapshot> make(CudaStreams &streams,
                                 std::span<const DeviceRows> parts);
  /// Frees nothing any more.
  void abandon() noexcept { abandoned = true; }

private:
  class Copy;
  static constexpr std::uint64_t kPiece = 8 << 20;

  bool grow(std::uint64_t bytes);
  void release() noexcept;

  const CudaContext &context;
  CUdeviceptr memory = 0;
  std::uint64_t size = 0;
  std::byte *staging = nullptr; ///< two pieces
  CUstream stream = nullptr;    ///< of the copies to the host
  std::optional<CudaMark> copied, arrived[2];
  std::atomic<bool> taken = false;
  bool abandoned = false;
};

} // namespace llamarun
