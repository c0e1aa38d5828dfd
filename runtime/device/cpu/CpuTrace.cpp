#include "runtime/device/cpu/CpuTrace.h"

#include <algorithm>
#include <map>

namespace llamarun {

DeviceRecords CpuTrace::take() {
  DeviceRecords records;
  std::vector<std::vector<TracedWork>> byWave(waves.size());
  for (std::uint32_t thread = 0; thread < lanes.size(); ++thread) {
    for (auto &piece : lanes[thread].pieces) {
      auto run = waves[piece.wave].run;
      records.pieces.push_back(
          {piece.tag, run, thread, 0, piece.begin, piece.end});
      byWave[piece.wave].push_back(records.pieces.back());
    }
    lanes[thread].pieces.clear();
  }
  // A step may be several works, in one wave or in more.
  std::map<std::pair<std::uint32_t, WorkTag>, std::size_t> places;
  for (std::size_t i = 0; i < waves.size(); ++i) {
    auto &pieces = byWave[i];
    if (pieces.empty())
      continue;
    // What the threads were given late and what the last one is waited for is
    // time of the steps that began first and ended last.
    std::ranges::min_element(pieces, {}, &TracedWork::begin)->begin =
        waves[i].begin;
    std::ranges::max_element(pieces, {}, &TracedWork::end)->end = waves[i].end;
    for (auto &piece : pieces) {
      auto [it, isNew] =
          places.try_emplace({piece.run, piece.tag}, records.steps.size());
      if (isNew) {
        piece.lane = 0;
        records.steps.push_back(piece);
        continue;
      }
      auto &step = records.steps[it->second];
      step.begin = std::min(step.begin, piece.begin);
      step.end = std::max(step.end, piece.end);
    }
  }
  waves.clear();
  std::ranges::stable_sort(records.pieces, {}, &TracedWork::begin);
  std::ranges::stable_sort(records.steps, {}, &TracedWork::begin);
  return records;
}

} // namespace llamarun
