#include "runtime/trace/RankTrace.h"

#include "runtime/support/Error.h"

#include <nlohmann/json.hpp>

namespace llamarun {

// Lists of numbers: a trace has thousands of each.
static void to_json(nlohmann::json &json, const TracedWork &work) {
  json = {work.tag, work.run, work.lane, work.name, work.begin, work.end};
}
static void from_json(const nlohmann::json &json, TracedWork &work) {
  json.at(0).get_to(work.tag);
  json.at(1).get_to(work.run);
  json.at(2).get_to(work.lane);
  json.at(3).get_to(work.name);
  json.at(4).get_to(work.begin);
  json.at(5).get_to(work.end);
}
static void to_json(nlohmann::json &json, const RankTrace::Run &run) {
  json = {run.program, run.step, run.measured, run.begin, run.end};
}
static void from_json(const nlohmann::json &json, RankTrace::Run &run) {
  json.at(0).get_to(run.program);
  json.at(1).get_to(run.step);
  json.at(2).get_to(run.measured);
  json.at(3).get_to(run.begin);
  json.at(4).get_to(run.end);
}
static void to_json(nlohmann::json &json, const RankTrace::Span &span) {
  json = {span.lane, span.name, span.begin, span.end};
}
static void from_json(const nlohmann::json &json, RankTrace::Span &span) {
  json.at(0).get_to(span.lane);
  json.at(1).get_to(span.name);
  json.at(2).get_to(span.begin);
  json.at(3).get_to(span.end);
}

void RankTrace::align() {
  auto shift = [this](auto &list) {
    for (auto &item : list) {
      item.begin -= clock.offset;
      item.end -= clock.offset;
    }
  };
  shift(runs);
  shift(steps);
  shift(pieces);
  shift(spans);
}

std::string RankTrace::encode() const {
  nlohmann::json json = {{"rank", rank},         {"host", host},
                         {"device", device},     {"source", source},
                         {"pid", pid},           {"offset", clock.offset},
                         {"error", clock.error}, {"synchronous", synchronous},
                         {"runs", runs},         {"steps", steps},
                         {"pieces", pieces},     {"spans", spans},
                         {"names", names},       {"lost", lost}};
  std::string bytes;
  nlohmann::json::to_cbor(json, bytes);
  return bytes;
}

RankTrace RankTrace::decode(std::string_view bytes) {
  RankTrace trace;
  try {
    auto json = nlohmann::json::from_cbor(bytes.begin(), bytes.end());
    json.at("rank").get_to(trace.rank);
    json.at("host").get_to(trace.host);
    json.at("device").get_to(trace.device);
    json.at("source").get_to(trace.source);
    json.at("pid").get_to(trace.pid);
    json.at("offset").get_to(trace.clock.offset);
    json.at("error").get_to(trace.clock.error);
    json.at("synchronous").get_to(trace.synchronous);
    json.at("runs").get_to(trace.runs);
    json.at("steps").get_to(trace.steps);
    json.at("pieces").get_to(trace.pieces);
    json.at("spans").get_to(trace.spans);
    json.at("names").get_to(trace.names);
    json.at("lost").get_to(trace.lost);
  } catch (const nlohmann::json::exception &error) {
    fail(ExitCode::PeerLost,
         "a rank sent a trace that cannot be read: ", error.what());
  }
  return trace;
}

} // namespace llamarun
