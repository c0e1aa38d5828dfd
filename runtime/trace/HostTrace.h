//===- HostTrace.h - What the host does around the device's work -*- C++ -*-==//
//
// Whoever has something to tell holds a pointer to a HostTrace, null while
// nobody listens: that test is all that tracing costs then.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/device/DeviceTrace.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace llamarun {

enum class HostLane : std::uint8_t {
  Main, ///< the thread that puts work in and waits for it
  Data  ///< batches made ready
};

/// Spans of one thread.
class HostTrace {
public:
  struct Span {
    HostLane lane;
    const char *name; ///< a literal
    std::int64_t begin, end;
  };
  /// One run of a program, from its first input to its last output or, on an
  /// asynchronous device, to when all of it was put in.
  struct Run {
    std::uint32_t program;
    std::int64_t begin, end;
  };

  void add(HostLane lane, const char *name, std::int64_t begin,
           std::int64_t end) {
    spans.push_back({lane, name, begin, end});
  }
  void runBegins() { runBegin = traceClock(); }
  void ran(std::uint32_t program) {
    runs.push_back({program, runBegin, traceClock()});
  }

  std::vector<Span> spans;
  std::vector<Run> runs;

private:
  std::int64_t runBegin = 0;
};

/// Adds the time between its construction and its end to `trace`, if any.
class HostSpan {
public:
  HostSpan(HostTrace *trace, HostLane lane, const char *name)
      : trace(trace), lane(lane), name(name),
        begin(trace ? traceClock() : std::int64_t{0}) {}
  ~HostSpan() {
    if (trace)
      trace->add(lane, name, begin, traceClock());
  }
  HostSpan(const HostSpan &) = delete;
  HostSpan &operator=(const HostSpan &) = delete;

private:
  HostTrace *trace;
  HostLane lane;
  const char *name;
  std::int64_t begin;
};

} // namespace llamarun
