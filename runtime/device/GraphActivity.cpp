#include "runtime/device/GraphActivity.h"

#include <algorithm>
#include <set>
#include <utility>

namespace llamarun {

std::uint32_t GpuActivities::name(std::string_view text) {
  if (auto found = numbers.find(text); found != numbers.end())
    return found->second;
  auto number = static_cast<std::uint32_t>(names.size());
  names.emplace_back(text);
  numbers.emplace(text, number);
  return number;
}

DeviceRecords GpuActivities::take(const GraphNodes &nodes,
                                  std::uint32_t &firstRun) {
  auto taken = std::exchange(activities, {});
  std::ranges::stable_sort(taken, {}, &GpuActivity::begin);
  std::map<std::uint32_t, std::uint32_t> runs; // by correlation
  for (auto &activity : taken)
    if (activity.node)
      runs[activity.correlation];
  for (auto &[correlation, run] : runs)
    run = firstRun++;

  DeviceRecords records;
  struct Step {
    std::size_t place;
    std::string kernels;
    std::set<std::uint32_t> seen;
  };
  std::map<std::pair<std::uint32_t, WorkTag>, Step> steps;
  for (auto &activity : taken) {
    TracedWork piece{kNoTag,          0,
                     activity.stream, activity.name,
                     activity.begin,  activity.end};
    if (activity.node) {
      piece.tag = nodes.find(activity.node);
      piece.run = runs[activity.correlation];
      if (piece.tag == kNoTag) {
        ++records.lost;
        continue;
      }
      auto [it, isNew] =
          steps.try_emplace({piece.run, piece.tag}, Step{records.steps.size()});
      auto &step = it->second;
      if (isNew) {
        records.steps.push_back(piece);
      } else {
        auto &whole = records.steps[step.place];
        whole.begin = std::min(whole.begin, piece.begin);
        whole.end = std::max(whole.end, piece.end);
      }
      if (piece.name && step.seen.insert(piece.name).second)
        step.kernels += (step.kernels.empty() ? "" : " + ") + names[piece.name];
    }
    records.pieces.push_back(piece);
  }
  for (auto &[key, step] : steps)
    records.steps[step.place].name = name(step.kernels);
  records.names = names;
  std::ranges::stable_sort(records.steps, {}, &TracedWork::begin);
  return records;
}

} // namespace llamarun
