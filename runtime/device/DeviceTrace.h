//===- DeviceTrace.h - When a device ran which work ------------*- C++ -*-===//
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// Whose work it is: a step of a program, as its caller numbers them.
using WorkTag = std::uint64_t;
inline constexpr WorkTag kNoTag = ~WorkTag{0};
inline WorkTag workTag(std::uint32_t program, std::uint32_t step) {
  return WorkTag{program} << 32 | step;
}
inline std::uint32_t programOf(WorkTag tag) {
  return static_cast<std::uint32_t>(tag >> 32);
}
inline std::uint32_t stepOf(WorkTag tag) {
  return static_cast<std::uint32_t>(tag);
}

/// Nanoseconds of std::chrono::steady_clock: the clock of all traces.
inline std::int64_t traceClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// [begin, end) of traceClock().
struct TracedWork {
  WorkTag tag = kNoTag;
  std::uint32_t run = 0;  ///< of the runs since the trace was made
  std::uint32_t lane = 0; ///< thread of a CPU, stream of a GPU
  std::uint32_t name = 0; ///< in DeviceRecords::names
  std::int64_t begin = 0, end = 0;
};

struct DeviceRecords {
  /// What ran where. On a CPU a step's share on one thread, as long as nothing
  /// came between; on a GPU each kernel, copy and fill. What belongs to no step
  /// has kNoTag.
  std::vector<TracedWork> pieces;
  /// Each step of each run once, from its first piece to its last; on a CPU
  /// with handing it out to threads and waiting for the last of them.
  std::vector<TracedWork> steps;
  /// Of kernels as the device calls them; the first one is empty.
  std::vector<std::string> names{""};
  /// Pieces that were lost, or whose step could not be told.
  std::uint64_t lost = 0;
};

/// Keeps times of the graphs that a device runs while it is on. Off at first.
/// Made by Device::makeTrace, must not outlive the device.
class DeviceTrace {
public:
  virtual ~DeviceTrace() = default;
  /// Of graphs run from now on. Waits for those before.
  virtual void start() = 0;
  /// Waits for the device.
  virtual void stop() = 0;
  /// What was kept since the last call, in order of time. Waits.
  virtual DeviceRecords take() = 0;
  /// Where the times come from, for people.
  virtual std::string_view source() const = 0;
};

} // namespace llamarun
