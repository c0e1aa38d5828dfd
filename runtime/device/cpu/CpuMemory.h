//===- CpuMemory.h - Host memory for a CPU device --------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"

#include <array>
#include <cstdint>
#include <unordered_map>

namespace llamarun {

/// Zero-filled, page-aligned memory straight from the system: pages that a plan
/// never touches never become resident.
class CpuMemory {
public:
  CpuMemory() = default;
  ~CpuMemory();
  CpuMemory(const CpuMemory &) = delete;
  CpuMemory &operator=(const CpuMemory &) = delete;

  /// \throws Error(DoesNotFit).
  void *allocate(std::uint64_t bytes, std::uint64_t alignment,
                 fb::Category category);
  void free(void *pointer);
  std::uint64_t allocated(fb::Category category) const {
    return counts[static_cast<std::size_t>(category)];
  }

  /// What the system can give without swapping: MemAvailable, or less under a
  /// control group's limit.
  static MemoryInfo info();

private:
  struct Block {
    void *mapping;
    std::uint64_t mapped;
    std::uint64_t bytes;
    fb::Category category;
  };
  std::unordered_map<void *, Block> blocks;
  std::array<std::uint64_t, static_cast<std::size_t>(fb::Category::MAX) + 1>
      counts{};
};

} // namespace llamarun
