//===- TraceEvents.h - Chrome's trace format -------------------*- C++ -*-===//
//
// The "JSON Object Format" of "Trace Event Format" (Google, 2016), which
// chrome://tracing, Perfetto and others open.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace llamarun {

/// Writes events one by one, none of them kept. Names may hold any bytes: what
/// is no UTF-8 is replaced. Times are nanoseconds and come out as microseconds
/// since `origin`, with three decimals.
class TraceEvents {
public:
  using Sink = std::function<void(std::string_view)>;
  TraceEvents(Sink sink, std::int64_t origin);

  void process(unsigned pid, const std::string &name);
  /// Lanes are shown in order of their tid.
  void thread(unsigned pid, unsigned tid, const std::string &name);
  /// \param args an object, or null.
  void slice(unsigned pid, unsigned tid, const char *category,
             const std::string &name, std::int64_t begin, std::int64_t end,
             const nlohmann::ordered_json &args);
  void instant(unsigned pid, unsigned tid, const char *category,
               const std::string &name, std::int64_t time,
               const nlohmann::ordered_json &args);
  /// An arrow through the slices that enclose the points: first 's', then 't',
  /// at last 'f', in order of time.
  void flow(char phase, std::uint64_t id, unsigned pid, unsigned tid,
            const char *category, const std::string &name, std::int64_t time);
  /// The end of the document. \param other what is known of the whole trace.
  void finish(const nlohmann::ordered_json &other);

private:
  Sink sink;
  std::int64_t origin;
  bool first = true;

  void write(const nlohmann::ordered_json &event);
  double microseconds(std::int64_t time) const;
};

} // namespace llamarun
