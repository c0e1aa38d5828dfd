#include "runtime/trace/TraceEvents.h"

#include <nlohmann/json.hpp>

namespace llamarun {

using Json = nlohmann::ordered_json;

static std::string textOf(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

TraceEvents::TraceEvents(Sink sink, std::int64_t origin)
    : sink(std::move(sink)), origin(origin) {
  this->sink("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
}

void TraceEvents::write(const Json &event) {
  sink((first ? "" : ",\n") + textOf(event));
  first = false;
}

// Exact to the nanosecond for traces of up to 100 days.
double TraceEvents::microseconds(std::int64_t time) const {
  return static_cast<double>(time - origin) / 1e3;
}

void TraceEvents::process(unsigned pid, const std::string &name) {
  write({{"ph", "M"},
         {"name", "process_name"},
         {"pid", pid},
         {"args", {{"name", name}}}});
  write({{"ph", "M"},
         {"name", "process_sort_index"},
         {"pid", pid},
         {"args", {{"sort_index", pid}}}});
}

void TraceEvents::thread(unsigned pid, unsigned tid, const std::string &name) {
  write({{"ph", "M"},
         {"name", "thread_name"},
         {"pid", pid},
         {"tid", tid},
         {"args", {{"name", name}}}});
  write({{"ph", "M"},
         {"name", "thread_sort_index"},
         {"pid", pid},
         {"tid", tid},
         {"args", {{"sort_index", tid}}}});
}

void TraceEvents::slice(unsigned pid, unsigned tid, const char *category,
                        const std::string &name, std::int64_t begin,
                        std::int64_t end, const Json &args) {
  Json event = {{"ph", "X"},
                {"name", name},
                {"cat", category},
                {"pid", pid},
                {"tid", tid},
                {"ts", microseconds(begin)},
                {"dur", static_cast<double>(end - begin) / 1e3}};
  if (!args.is_null())
    event["args"] = args;
  write(event);
}

void TraceEvents::instant(unsigned pid, unsigned tid, const char *category,
                          const std::string &name, std::int64_t time,
                          const Json &args) {
  Json event = {{"ph", "i"},
                {"s", "t"},
                {"name", name},
                {"cat", category},
                {"pid", pid},
                {"tid", tid},
                {"ts", microseconds(time)}};
  if (!args.is_null())
    event["args"] = args;
  write(event);
}

void TraceEvents::flow(char phase, std::uint64_t id, unsigned pid, unsigned tid,
                       const char *category, const std::string &name,
                       std::int64_t time) {
  Json event = {{"ph", std::string(1, phase)},
                {"id", id},
                {"name", name},
                {"cat", category},
                {"pid", pid},
                {"tid", tid},
                {"ts", microseconds(time)},
                {"bp", "e"}};
  write(event);
}

void TraceEvents::finish(const Json &other) {
  sink("\n],\"otherData\":" + textOf(other) + "}\n");
}

} // namespace llamarun
