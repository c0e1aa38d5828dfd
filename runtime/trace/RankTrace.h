//===- RankTrace.h - What one rank did while it was traced -----*- C++ -*-===//
#pragma once

#include "runtime/device/DeviceTrace.h"
#include "runtime/trace/ClockOffsets.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// One rank's steps, by its own clock until align().
struct RankTrace {
  struct Run {
    std::uint32_t program = 0; ///< of the plan
    std::uint32_t step = 0;    ///< training step, from 0
    double measured = 0;       ///< seconds by the device's marks
    std::int64_t begin = 0, end = 0;
  };
  struct Span {
    std::uint32_t lane = 0, name = 0; ///< HostLane; in names
    std::int64_t begin = 0, end = 0;
  };

  unsigned rank = 0;
  std::string host, device;
  std::string source; ///< DeviceTrace::source()
  std::int64_t pid = 0;
  ClockOffset clock;       ///< against rank 0
  bool synchronous = true; ///< a run's begin and end enclose its steps
  std::vector<Run> runs;
  std::vector<TracedWork> steps;  ///< run is an index of runs
  std::vector<TracedWork> pieces; ///< the same
  std::vector<Span> spans;
  std::vector<std::string> names{""};
  std::uint64_t lost = 0;

  /// Subtracts clock.offset from all times.
  void align();

  /// For the way to rank 0: CBOR.
  std::string encode() const;
  /// \throws Error(PeerLost) for bytes that encode() did not make.
  static RankTrace decode(std::string_view bytes);
};

} // namespace llamarun
