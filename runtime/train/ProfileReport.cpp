#include "runtime/trace/StepCosts.h"
#include "runtime/train/BenchReport.h"

#include <algorithm>
#include <map>

namespace llamarun {

std::vector<ProfileGroup> groupProfile(const Plan &plan,
                                       const fb::Program &program,
                                       const std::vector<double> &seconds) {
  std::map<std::string, ProfileGroup> byName;
  auto costs = stepCosts(plan, program);
  for (std::size_t i = 0; i < costs.size(); ++i) {
    auto &one = costs[i];
    auto &group = byName[one.title];
    group.what = one.title;
    group.count += 1;
    group.seconds += seconds[i];
    group.bytes += one.bytes;
    group.flops += one.flops;
  }
  std::vector<ProfileGroup> groups;
  for (auto &[name, group] : byName)
    groups.push_back(std::move(group));
  std::stable_sort(groups.begin(), groups.end(),
                   [](auto &x, auto &y) { return x.seconds > y.seconds; });
  return groups;
}

void printProfile(std::FILE *out, const fb::Program &program,
                  const std::vector<ProfileGroup> &groups,
                  const Ceilings &ceilings) {
  double total = 0;
  for (auto &group : groups)
    total += group.seconds;
  std::fprintf(out,
               "\nprofile of %s: %u steps, %.1f us one after another (a "
               "kernel's bytes are its whole buffers)\n",
               std::string(viewOf(program.name())).c_str(),
               program.steps()->size(), 1e6 * total);
  std::fprintf(out, "%6s %10s %9s %6s %8s %8s %7s  %s\n", "count", "total us",
               "each us", "share", "GB/s", "TFLOP/s", "floor%", "what");
  constexpr std::size_t kLines = 60;
  for (std::size_t i = 0; i < groups.size() && i < kLines; ++i) {
    auto &group = groups[i];
    double floor = ceilings.floor(group.bytes, group.flops);
    std::fprintf(out, "%6zu %10.1f %9.2f %5.1f%% %8.0f %8.1f %7.0f  %s\n",
                 group.count, 1e6 * group.seconds,
                 1e6 * group.seconds / static_cast<double>(group.count),
                 total > 0 ? 100 * group.seconds / total : 0,
                 group.seconds > 0 ? group.bytes / group.seconds / 1e9 : 0,
                 group.seconds > 0 ? group.flops / group.seconds / 1e12 : 0,
                 group.seconds > 0 ? 100 * floor / group.seconds : 0,
                 group.what.c_str());
  }
  std::fflush(out);
}

} // namespace llamarun
