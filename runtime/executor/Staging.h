//===- Staging.h - A run's values in memory of the host --------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/plan/Plan.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace llamarun {

using Bindings = flatbuffers::Vector<flatbuffers::Offset<fb::Binding>>;

/// Where the inputs (or outputs) of a program lie in staging memory. Values
/// that are neighbours on the device are neighbours here, so that all of them
/// travel in one copy.
struct StagingLayout {
  struct Value {
    std::string_view name;
    DeviceRange device;
    std::uint64_t at = 0; ///< byte in the staging memory
  };
  /// Values [first, last) and what lies between them, which is nobody's.
  struct Group {
    std::size_t first = 0, last = 0;
    DeviceRange device;
    std::uint64_t at = 0;
  };
  std::vector<Value> values;
  std::vector<Group> groups;
  std::uint64_t bytes = 0;

  /// \param range the device memory of a buffer of the plan.
  StagingLayout(const Plan &plan, const Bindings *bindings,
                const std::function<DeviceRange(std::size_t)> &range);
  /// The position of a value in `values`, or values.size().
  std::size_t find(std::string_view name) const;
};

/// Staging memory of a device.
class StagingBlock {
public:
  StagingBlock(Device &device, std::uint64_t bytes);
  ~StagingBlock() { device.freeStaging(pointer); }
  StagingBlock(const StagingBlock &) = delete;
  StagingBlock &operator=(const StagingBlock &) = delete;
  char *at(std::uint64_t byte) const { return pointer + byte; }

private:
  Device &device;
  char *pointer;
};

/// What one run of a program needs on the host: its inputs until they are on
/// the device, its outputs until they are read. Slots are used again in turns.
struct RunSlot {
  RunSlot(Device &device, std::uint64_t inputBytes, std::uint64_t outputBytes);

  StagingBlock inputs, outputs;
  std::unique_ptr<Mark> begin, done;
  const fb::Program *program = nullptr; ///< written for, or run
  std::vector<bool> written;            ///< by value of the inputs
  bool launched = false;                ///< since the slot was taken
};

} // namespace llamarun
