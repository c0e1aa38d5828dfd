#include "runtime/executor/Sharers.h"

#include <set>

namespace llamarun {

std::vector<std::vector<CommunicatorKey>> sharersOf(const Plan &plan) {
  Grid grid(plan);
  std::uint64_t dp = std::uint64_t{1} << grid.find("dp");
  std::vector<std::set<CommunicatorKey>> sets(plan.allocationCount());
  for (std::size_t p = 0; p < plan.programCount(); ++p)
    for (auto *step : *plan.program(p).steps()) {
      auto *op = step->operation_as_Collective();
      if (!op)
        continue;
      CommunicatorKey key{
          groupKey(grid, {op->axes()->data(), op->axes()->size()}),
          step->stream()};
      if (!key.axes)
        continue;
      for (auto buffer : {op->source(), op->target()}) {
        auto index = plan.buffer(buffer).allocation();
        bool activations =
            plan.allocation(index).category() == fb::Category::Activations;
        if (!activations || !(key.axes & dp))
          sets[index].insert(key);
      }
    }
  std::vector<std::vector<CommunicatorKey>> result;
  for (auto &set : sets)
    result.emplace_back(set.begin(), set.end());
  return result;
}

} // namespace llamarun
