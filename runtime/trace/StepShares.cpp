#include "runtime/trace/StepShares.h"

#include <algorithm>
#include <set>

namespace llamarun {

std::vector<double> shareTime(std::span<const TracedWork> works) {
  struct Edge {
    std::int64_t time;
    bool begins;
    std::size_t work;
  };
  std::vector<Edge> edges;
  for (std::size_t i = 0; i < works.size(); ++i)
    if (works[i].end > works[i].begin) {
      edges.push_back({works[i].begin, true, i});
      edges.push_back({works[i].end, false, i});
    }
  std::ranges::sort(edges, {}, &Edge::time);
  std::vector<double> shares(works.size());
  std::set<std::size_t> active;
  std::int64_t last = 0;
  for (auto &edge : edges) {
    for (auto i : active)
      shares[i] += static_cast<double>(edge.time - last) /
                   static_cast<double>(active.size());
    last = edge.time;
    if (edge.begins)
      active.insert(edge.work);
    else
      active.erase(edge.work);
  }
  return shares;
}

std::vector<unsigned> rowsOf(std::span<const TracedWork> works) {
  std::vector<std::int64_t> ends;
  std::vector<unsigned> rows;
  for (auto &work : works) {
    auto row = std::ranges::find_if(
        ends, [&](std::int64_t end) { return end <= work.begin; });
    rows.push_back(static_cast<unsigned>(row - ends.begin()));
    if (row == ends.end())
      ends.push_back(work.end);
    else
      *row = work.end;
  }
  return rows;
}

} // namespace llamarun
