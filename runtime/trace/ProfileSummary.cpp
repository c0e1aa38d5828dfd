#include "runtime/trace/ProfileSummary.h"

#include "runtime/plan/Verify.h"
#include "runtime/trace/StepShares.h"

#include <algorithm>
#include <map>
#include <set>

namespace llamarun {
namespace {

constexpr double kNano = 1e-9;

RankSummary rankSummary(const RankTrace &trace, const PlanCosts &costs,
                        const std::vector<double> &shares,
                        const std::map<std::size_t, std::int64_t> &waits) {
  RankSummary summary;
  summary.rank = trace.rank;
  for (auto &run : trace.runs)
    summary.measured += run.measured;
  for (std::size_t i = 0; i < trace.steps.size(); ++i) {
    auto &work = trace.steps[i];
    summary.inSteps += kNano * shares[i];
    if (costs[programOf(work.tag)][stepOf(work.tag)].group)
      summary.collectives += kNano * shares[i];
    if (auto wait = waits.find(i); wait != waits.end())
      summary.waiting +=
          kNano *
          static_cast<double>(std::clamp(wait->second, work.begin, work.end) -
                              work.begin);
  }
  return summary;
}

std::vector<ProfileLine> linesOf(const RankTrace &trace, const PlanCosts &costs,
                                 const std::vector<double> &shares,
                                 const Ceilings &ceilings) {
  std::map<std::string, ProfileLine> byTitle;
  for (std::size_t i = 0; i < trace.steps.size(); ++i) {
    auto &work = trace.steps[i];
    auto &cost = costs[programOf(work.tag)][stepOf(work.tag)];
    auto &line = byTitle[cost.title];
    line.what = cost.title;
    ++line.calls;
    line.seconds += kNano * shares[i];
    line.busy += kNano * static_cast<double>(work.end - work.begin);
    line.bytes += cost.bytes;
    line.flops += cost.flops;
    line.floor +=
        cost.group ? cost.predicted : ceilings.floor(cost.bytes, cost.flops);
  }
  std::vector<ProfileLine> lines;
  for (auto &[title, line] : byTitle)
    lines.push_back(std::move(line));
  std::ranges::stable_sort(lines, std::greater(), &ProfileLine::seconds);
  return lines;
}

} // namespace

ProfileSummary summarize(const std::vector<RankTrace> &traces,
                         const PlanCosts &costs,
                         const std::vector<CollectiveLink> &links,
                         const Plan &plan, const Ceilings &ceilings) {
  ProfileSummary summary;
  std::vector<std::map<std::size_t, std::int64_t>> waits(traces.size());
  for (auto &link : links)
    for (auto [trace, work] : link.members)
      waits[trace][work] = link.lastBegin;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    auto shares = shareTime(traces[i].steps);
    summary.ranks.push_back(rankSummary(traces[i], costs, shares, waits[i]));
    summary.lost += traces[i].lost;
    if (i == 0)
      summary.lines = linesOf(traces[i], costs, shares, ceilings);
  }
  std::set<std::uint32_t> steps;
  std::set<std::uint32_t> programs;
  for (auto &run : traces.front().runs) {
    steps.insert(run.step);
    programs.insert(run.program);
  }
  summary.steps = static_cast<std::uint32_t>(steps.size());
  for (auto program : programs)
    summary.programs.push_back(printable(viewOf(plan.program(program).name())));
  return summary;
}

} // namespace llamarun
