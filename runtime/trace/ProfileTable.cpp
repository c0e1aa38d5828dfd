#include "runtime/trace/ProfileTable.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

double ratio(double x, double y) { return y > 0 ? x / y : 0; }

/// One line of the table; times are of one training step.
void printLine(std::FILE *out, const ProfileLine &line, double steps,
               double measured, bool ceilings) {
  auto calls = static_cast<double>(line.calls);
  std::fprintf(out, "%9.1f %5.1f%% %7.1f %9.2f", 1e6 * line.seconds / steps,
               100 * ratio(line.seconds, measured), calls / steps,
               1e6 * ratio(line.busy, calls));
  std::fprintf(out, " %8.2f", 1e-9 * ratio(line.bytes, line.busy));
  if (line.flops > 0)
    std::fprintf(out, " %8.3f", 1e-12 * ratio(line.flops, line.busy));
  else
    std::fprintf(out, " %8s", "-");
  if (ceilings && line.floor > 0)
    std::fprintf(out, " %9.1f %5.0f%%", 1e6 * line.floor / steps,
                 100 * ratio(line.floor, line.seconds));
  else
    std::fprintf(out, " %9s %6s", "-", "-");
  std::fprintf(out, "  %s\n", line.what.c_str());
}

void printTotals(std::FILE *out, const ProfileSummary &summary) {
  auto &own = summary.ranks.front();
  double steps = summary.steps;
  std::fprintf(out,
               "%9.1f %5.1f%%  in steps of the plan\n"
               "%9.1f %5.1f%%  gap: in none of them\n"
               "%9.1f 100.0%%  measured step\n",
               1e6 * own.inSteps / steps,
               100 * ratio(own.inSteps, own.measured), 1e6 * own.gap() / steps,
               100 * ratio(own.gap(), own.measured),
               1e6 * own.measured / steps);
}

} // namespace

void printProfileTable(std::FILE *out, const ProfileContext &context,
                       const ProfileSummary &summary, std::size_t most) {
  double steps = summary.steps;
  auto &own = summary.ranks.front();
  std::string programs;
  for (auto &program : summary.programs)
    programs += (programs.empty() ? "" : " ") + program;
  std::fprintf(out, "%s on %s, weights %s, %s\n", context.plan.c_str(),
               context.device.c_str(), context.weights.c_str(),
               context.data.c_str());
  std::fprintf(out, "profile         %u steps of %s; times from %s\n",
               summary.steps, programs.c_str(), context.source.c_str());
  if (!context.note.empty())
    std::fprintf(out, "                %s\n", context.note.c_str());
  bool ceilings = context.ceilings.bytesPerSecond > 0 ||
                  context.ceilings.flopsPerSecond > 0;
  if (ceilings)
    std::fprintf(out, "ceilings        %.2f GB/s, %.3f TFLOP/s\n",
                 context.ceilings.bytesPerSecond / 1e9,
                 context.ceilings.flopsPerSecond / 1e12);
  if (context.overhead)
    std::fprintf(out, "tracing         %+.2f%% of a step\n",
                 100 * *context.overhead);
  std::fprintf(out, "%9s %6s %7s %9s %8s %8s %9s %6s  %s\n", "us/step", "share",
               "calls", "us each", "GB/s", "TFLOP/s", "floor us", "floor",
               "what");
  ProfileLine rest;
  for (std::size_t i = 0; i < summary.lines.size(); ++i) {
    auto &line = summary.lines[i];
    if (i < most) {
      printLine(out, line, steps, own.measured, ceilings);
      continue;
    }
    rest.calls += line.calls;
    rest.seconds += line.seconds;
    rest.busy += line.busy;
    rest.bytes += line.bytes;
    rest.flops += line.flops;
    rest.floor += line.floor;
  }
  if (rest.calls) {
    rest.what = "(" + std::to_string(summary.lines.size() - most) + " more)";
    printLine(out, rest, steps, own.measured, ceilings);
  }
  printTotals(out, summary);
  if (summary.ranks.size() > 1) {
    std::fprintf(out, "%-6s %10s %10s %9s %12s %10s   us a step\n", "rank",
                 "measured", "in steps", "gap", "collectives", "waiting");
    for (auto &rank : summary.ranks)
      std::fprintf(out, "%-6u %10.1f %10.1f %9.1f %12.1f %10.1f\n", rank.rank,
                   1e6 * rank.measured / steps, 1e6 * rank.inSteps / steps,
                   1e6 * rank.gap() / steps, 1e6 * rank.collectives / steps,
                   1e6 * rank.waiting / steps);
  }
  if (summary.lost)
    std::fprintf(out,
                 "warning: %llu records of the device were lost or of no "
                 "known step\n",
                 static_cast<unsigned long long>(summary.lost));
  std::fflush(out);
}

std::string profileJson(const ProfileContext &context,
                        const ProfileSummary &summary) {
  using Json = nlohmann::ordered_json;
  auto &own = summary.ranks.front();
  double steps = summary.steps;
  Json json = {{"plan", context.plan},
               {"plan_hash", context.hash},
               {"device", context.device},
               {"weights", context.weights},
               {"data", context.data},
               {"times_from", context.source},
               {"note", context.note},
               {"steps", summary.steps},
               {"programs", summary.programs},
               {"ceiling_bytes_per_second", context.ceilings.bytesPerSecond},
               {"ceiling_flops_per_second", context.ceilings.flopsPerSecond},
               {"clock_error_us", 1e6 * context.clockError},
               {"lost_records", summary.lost},
               {"step_us", 1e6 * own.measured / steps},
               {"in_steps_us", 1e6 * own.inSteps / steps},
               {"gap_us", 1e6 * own.gap() / steps}};
  if (context.overhead)
    json["tracing_overhead"] = *context.overhead;
  json["ranks"] = Json::array();
  for (auto &rank : summary.ranks)
    json["ranks"].push_back({{"rank", rank.rank},
                             {"step_us", 1e6 * rank.measured / steps},
                             {"in_steps_us", 1e6 * rank.inSteps / steps},
                             {"gap_us", 1e6 * rank.gap() / steps},
                             {"collectives_us", 1e6 * rank.collectives / steps},
                             {"waiting_us", 1e6 * rank.waiting / steps}});
  json["lines"] = Json::array();
  for (auto &line : summary.lines)
    json["lines"].push_back(
        {{"what", line.what},
         {"calls_per_step", static_cast<double>(line.calls) / steps},
         {"us_per_step", 1e6 * line.seconds / steps},
         {"busy_us_per_step", 1e6 * line.busy / steps},
         {"share", ratio(line.seconds, own.measured)},
         {"bytes_per_step", line.bytes / steps},
         {"flops_per_step", line.flops / steps},
         {"bytes_per_second", ratio(line.bytes, line.busy)},
         {"flops_per_second", ratio(line.flops, line.busy)},
         {"floor_us_per_step", 1e6 * line.floor / steps}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace llamarun
