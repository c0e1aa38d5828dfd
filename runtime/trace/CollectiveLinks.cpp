#include "runtime/trace/CollectiveLinks.h"

#include "runtime/comm/Communicator.h"
#include "runtime/comm/Grid.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace llamarun {

PlanCosts planCosts(const Plan &plan, const std::vector<RankTrace> &traces) {
  PlanCosts costs(plan.programCount());
  for (auto &trace : traces)
    for (auto &run : trace.runs)
      if (costs.at(run.program).empty())
        costs[run.program] = stepCosts(plan, plan.program(run.program));
  return costs;
}

std::vector<CollectiveLink>
linkCollectives(const Plan &plan, const std::vector<RankTrace> &traces,
                const PlanCosts &costs) {
  Grid grid(plan);
  // By group, its first rank, stream, and number among those.
  using Key = std::tuple<std::uint64_t, unsigned, unsigned, std::size_t>;
  std::map<Key, CollectiveLink> links;
  for (std::size_t t = 0; t < traces.size(); ++t) {
    auto &trace = traces[t];
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> works;
    for (std::size_t i = 0; i < trace.steps.size(); ++i)
      works[{trace.steps[i].run, stepOf(trace.steps[i].tag)}] = i;
    std::map<std::pair<std::uint64_t, unsigned>, std::size_t> counts;
    for (std::uint32_t run = 0; run < trace.runs.size(); ++run) {
      auto &steps = costs[trace.runs[run].program];
      for (std::uint32_t i = 0; i < steps.size(); ++i) {
        auto &cost = steps[i];
        if (!cost.group)
          continue;
        auto number = counts[{cost.group, cost.stream}]++;
        auto work = works.find({run, i});
        if (work == works.end() && cost.takenBy >= 0)
          work = works.find({run, static_cast<std::uint32_t>(cost.takenBy)});
        if (work == works.end())
          continue;
        auto first = grid.group(trace.rank, groupAxes(cost.group)).front();
        links[{cost.group, first, cost.stream, number}].members.push_back(
            {t, work->second});
      }
    }
  }
  std::vector<CollectiveLink> result;
  for (auto &[key, link] : links) {
    if (link.members.size() < 2)
      continue;
    auto begin = [&](const CollectiveLink::Member &member) {
      return traces[member.trace].steps[member.work].begin;
    };
    std::ranges::stable_sort(link.members, {}, begin);
    link.lastBegin = begin(link.members.back());
    result.push_back(std::move(link));
  }
  return result;
}

} // namespace llamarun
