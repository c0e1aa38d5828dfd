#include "runtime/trace/JobTrace.h"

#include "runtime/plan/Verify.h"
#include "runtime/trace/HostTrace.h"
#include "runtime/trace/StepShares.h"

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned kStreams = 16, kRows = 1024, kOthers = 1 << 27,
                   kThreads = 1 << 28;

unsigned tidOf(unsigned stream, unsigned row) {
  return kStreams + stream * kRows + std::min(row, kRows - 1);
}

std::int64_t originOf(const std::vector<RankTrace> &traces) {
  auto origin = std::numeric_limits<std::int64_t>::max();
  for (auto &trace : traces) {
    auto look = [&](auto &list) {
      for (auto &item : list)
        origin = std::min(origin, item.begin);
    };
    look(trace.runs);
    look(trace.steps);
    look(trace.pieces);
    look(trace.spans);
  }
  return origin == std::numeric_limits<std::int64_t>::max() ? 0 : origin;
}

/// Where a slice lies, for arrows.
struct Place {
  unsigned tid = 0;
  std::int64_t begin = 0;
};

/// One rank's events.
class RankEvents {
public:
  RankEvents(TraceEvents &events, const Plan &plan, const RankTrace &trace,
             const PlanCosts &costs,
             const std::map<std::size_t, std::int64_t> &waits)
      : events(events), plan(plan), trace(trace), costs(costs), waits(waits) {}

  /// \returns the place of each of the trace's steps.
  std::vector<Place> write() {
    events.process(trace.rank, "rank " + std::to_string(trace.rank) + " (" +
                                   trace.host + ", " + trace.device + ")");
    writeHost();
    writeRuns(); // what encloses comes first
    auto places = writeSteps();
    writeStepsWithoutWork();
    writePieces();
    for (auto &[tid, name] : lanes)
      events.thread(trace.rank, tid, name);
    return places;
  }

private:
  TraceEvents &events;
  const Plan &plan;
  const RankTrace &trace;
  const PlanCosts &costs;
  const std::map<std::size_t, std::int64_t> &waits; ///< by step: lastBegin
  std::map<unsigned, std::string> lanes;

  const StepCost &costOf(const TracedWork &work) const {
    return costs[programOf(work.tag)][stepOf(work.tag)];
  }
  std::string programName(std::uint32_t program) const {
    return printable(viewOf(plan.program(program).name()));
  }

  void writeHost() {
    for (auto &span : trace.spans) {
      lanes[span.lane] =
          span.lane == static_cast<unsigned>(HostLane::Data) ? "data" : "host";
      events.slice(trace.rank, span.lane, "host", trace.names[span.name],
                   span.begin, span.end, nullptr);
    }
  }

  Json argumentsOf(const TracedWork &work, const StepCost &cost) const {
    Json args = {{"step", stepOf(work.tag)},
                 {"program", programName(programOf(work.tag))},
                 {"operation", cost.operation}};
    auto add = [&](const char *key, const std::string &text) {
      if (!text.empty())
        args[key] = text;
    };
    add("op", cost.name);
    add("location", cost.position);
    add("shape", cost.shape);
    add("does", cost.detail);
    add("axis", cost.axes);
    add("kernels", trace.names[work.name]);
    args["bytes"] = cost.bytes;
    auto seconds = 1e-9 * static_cast<double>(work.end - work.begin);
    if (cost.flops > 0)
      args["flops"] = cost.flops;
    if (seconds > 0)
      args["GB_per_s"] = cost.bytes / seconds * 1e-9;
    if (seconds > 0 && cost.flops > 0)
      args["TFLOP_per_s"] = cost.flops / seconds * 1e-12;
    if (cost.devices > 1) {
      args["devices"] = cost.devices;
      args["predicted_us"] = 1e6 * cost.predicted;
    }
    return args;
  }

  std::vector<Place> writeSteps() {
    std::vector<Place> places(trace.steps.size());
    std::map<unsigned, std::vector<std::size_t>> byStream;
    for (std::size_t i = 0; i < trace.steps.size(); ++i)
      byStream[costOf(trace.steps[i]).stream].push_back(i);
    lanes[tidOf(0, 0)] = "stream 0";
    for (auto &[stream, indices] : byStream) {
      std::vector<TracedWork> works;
      for (auto i : indices)
        works.push_back(trace.steps[i]);
      auto rows = rowsOf(works);
      for (std::size_t at = 0; at < indices.size(); ++at) {
        auto i = indices[at];
        auto &work = trace.steps[i];
        auto &cost = costOf(work);
        auto tid = tidOf(stream, rows[at]);
        lanes[tid] = "stream " + std::to_string(stream) +
                     (rows[at] ? ", beside " + std::to_string(rows[at]) : "");
        auto args = argumentsOf(work, cost);
        if (auto wait = waits.find(i); wait != waits.end())
          args["waited_us"] =
              1e-3 *
              static_cast<double>(
                  std::clamp(wait->second, work.begin, work.end) - work.begin);
        events.slice(trace.rank, tid, cost.group ? "collective" : "step",
                     cost.title, work.begin, work.end, args);
        places[i] = {tid, work.begin};
      }
    }
    return places;
  }

  /// Of each run: from where to where it goes on stream 0.
  std::vector<std::pair<std::int64_t, std::int64_t>> windows() const {
    constexpr auto kNever = std::numeric_limits<std::int64_t>::max();
    std::vector<std::pair<std::int64_t, std::int64_t>> result;
    for (auto &run : trace.runs)
      result.emplace_back(trace.synchronous ? run.begin : kNever,
                          trace.synchronous ? run.end : -kNever);
    for (auto &work : trace.steps) {
      auto &[begin, end] = result[work.run];
      begin = std::min(begin, work.begin);
      end = std::max(end, work.end);
    }
    return result;
  }

  void writeRuns() {
    auto windows = this->windows();
    for (std::size_t i = 0; i < trace.runs.size();) {
      auto step = trace.runs[i].step;
      auto [begin, end] = windows[i];
      double measured = 0;
      auto last = i;
      for (; last < trace.runs.size() && trace.runs[last].step == step;
           ++last) {
        begin = std::min(begin, windows[last].first);
        end = std::max(end, windows[last].second);
        measured += trace.runs[last].measured;
      }
      if (begin <= end)
        events.slice(trace.rank, tidOf(0, 0), "training step",
                     "step " + std::to_string(step), begin, end,
                     {{"measured_us", 1e6 * measured}});
      for (; i < last; ++i)
        if (windows[i].first <= windows[i].second)
          events.slice(trace.rank, tidOf(0, 0), "run",
                       programName(trace.runs[i].program), windows[i].first,
                       windows[i].second,
                       {{"measured_us", 1e6 * trace.runs[i].measured}});
    }
  }

  /// Sums that a later kernel takes, collectives of a group of one.
  void writeStepsWithoutWork() {
    std::map<std::pair<std::uint32_t, std::uint32_t>, const TracedWork *> works;
    for (auto &work : trace.steps)
      works[{work.run, stepOf(work.tag)}] = &work;
    auto windows = this->windows();
    for (std::uint32_t run = 0; run < trace.runs.size(); ++run) {
      auto program = trace.runs[run].program;
      auto time = windows[run].first;
      for (std::uint32_t i = 0; i < costs[program].size(); ++i) {
        if (auto work = works.find({run, i}); work != works.end()) {
          time = work->second->begin;
          continue;
        }
        auto &cost = costs[program][i];
        Json args = {{"step", i},
                     {"program", programName(program)},
                     {"operation", cost.operation},
                     {"op", cost.name},
                     {"location", cost.position}};
        if (cost.takenBy >= 0)
          args["taken_by_step"] = cost.takenBy;
        auto tid = tidOf(cost.stream, 0);
        lanes.try_emplace(tid, "stream " + std::to_string(cost.stream));
        events.instant(trace.rank, tid, "no work of its own", cost.title, time,
                       args);
      }
    }
  }

  void writePieces() {
    for (auto &piece : trace.pieces) {
      if (piece.tag == kNoTag) {
        lanes[kOthers + piece.lane] = "copies " + std::to_string(piece.lane);
        events.slice(trace.rank, kOthers + piece.lane, "copy",
                     trace.names[piece.name], piece.begin, piece.end, nullptr);
      } else if (trace.synchronous) {
        lanes[kThreads + piece.lane] =
            "CPU thread " + std::to_string(piece.lane);
        auto &cost = costOf(piece);
        events.slice(trace.rank, kThreads + piece.lane, "thread", cost.title,
                     piece.begin, piece.end,
                     {{"step", stepOf(piece.tag)}, {"op", cost.name}});
      }
    }
  }
};

Json otherData(const Plan &plan, const std::vector<RankTrace> &traces) {
  Json other = {
      {"plan", plan.path()},
      {"plan_hash", plan.hash()},
      {"made_by", std::string("llamac ") +
                      printable(viewOf(plan.root().compiler_version()))},
      {"flags", printable(viewOf(plan.root().flags()))}};
  other["ranks"] = Json::array();
  for (auto &trace : traces)
    other["ranks"].push_back({{"rank", trace.rank},
                              {"host", trace.host},
                              {"pid", trace.pid},
                              {"device", trace.device},
                              {"times_from", trace.source},
                              {"clock_offset_ns", trace.clock.offset},
                              {"clock_error_ns", trace.clock.error},
                              {"lost_records", trace.lost}});
  return other;
}

} // namespace

void writeJobTrace(TraceEvents::Sink sink, const Plan &plan,
                   const std::vector<RankTrace> &traces, const PlanCosts &costs,
                   const std::vector<CollectiveLink> &links) {
  std::vector<std::map<std::size_t, std::int64_t>> waits(traces.size());
  for (auto &link : links)
    for (auto [trace, work] : link.members)
      waits[trace][work] = link.lastBegin;
  TraceEvents events(std::move(sink), originOf(traces));
  std::vector<std::vector<Place>> places;
  for (std::size_t i = 0; i < traces.size(); ++i)
    places.push_back(
        RankEvents(events, plan, traces[i], costs, waits[i]).write());
  for (std::size_t id = 0; id < links.size(); ++id) {
    auto &members = links[id].members;
    for (std::size_t i = 0; i < members.size(); ++i) {
      auto &place = places[members[i].trace][members[i].work];
      auto &work = traces[members[i].trace].steps[members[i].work];
      char phase = i == 0 ? 's' : i + 1 == members.size() ? 'f' : 't';
      events.flow(
          phase, id + 1, traces[members[i].trace].rank, place.tid, "collective",
          costs[programOf(work.tag)][stepOf(work.tag)].title, place.begin);
    }
  }
  events.finish(otherData(plan, traces));
}

} // namespace llamarun
