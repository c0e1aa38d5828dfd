//===- CudaMemory.h - Memory of one GPU ------------------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaContext.h"

#include <array>
#include <cstdint>
#include <unordered_map>

namespace llamarun {

/// Zero-filled device memory by cuMemAlloc, or mapped page by page (cuMemMap)
/// where other processes shall map it, too.
class CudaMemory {
public:
  /// What cuMemAlloc guarantees (CUDA C++ Programming Guide, 5.3.2).
  static constexpr std::uint64_t kAlignment = 256;

  explicit CudaMemory(const CudaContext &context) : context(context) {}
  ~CudaMemory();
  CudaMemory(const CudaMemory &) = delete;
  CudaMemory &operator=(const CudaMemory &) = delete;

  /// \throws Error(DoesNotFit).
  void *allocate(CUstream stream, std::uint64_t bytes, std::uint64_t alignment,
                 fb::Category category);
  /// Exportable as a file descriptor, a multiple of the driver's granularity.
  void *allocateShared(CUstream stream, std::uint64_t bytes,
                       std::uint64_t alignment, fb::Category category);
  /// Waits for all work first. Throws nothing: sessions free while unwinding.
  void free(void *pointer) noexcept;
  std::uint64_t allocated(fb::Category category) const {
    return counts[static_cast<std::size_t>(category)];
  }
  MemoryInfo info() const;
  /// Frees nothing any more: freeing waits for work.
  void abandon() noexcept { abandoned = true; }

private:
  struct Block {
    CUdeviceptr base; ///< as cuMemAlloc gave it
    std::uint64_t bytes;
    fb::Category category;
    std::uint64_t mapped = 0; ///< bytes of address space; 0: by cuMemAlloc
  };
  const CudaContext &context;
  std::unordered_map<void *, Block> blocks;
  std::array<std::uint64_t, static_cast<std::size_t>(fb::Category::MAX) + 1>
      counts{};

  bool abandoned = false;

  void release(const Block &block) noexcept;
};

/// Page-locked host memory. \throws Error(DoesNotFit).
void *cudaAllocateStaging(const CudaContext &context, std::uint64_t bytes);

/// Puts a copy of rows on the stream (Device::copyRowsToDevice has the layout).
void cudaCopyRowsIn(const CudaContext &context, CUstream stream, void *target,
                    std::uint64_t pitch, const void *source,
                    std::uint64_t width, std::uint64_t rows);
void cudaCopyRowsOut(const CudaContext &context, CUstream stream, void *target,
                     const void *source, std::uint64_t pitch,
                     std::uint64_t width, std::uint64_t rows);

} // namespace llamarun
