#include "runtime/plan/Verify.h"
#include "runtime/train/BenchReport.h"

#include <algorithm>
#include <map>

namespace llamarun {
namespace {

std::string gemmText(const Plan &plan, const fb::Gemm &gemm) {
  char text[160];
  std::snprintf(
      text, sizeof text, "gemm %s->%s %s%s %llux%llux%llu%s",
      nameOf(plan.buffer(gemm.a()).dtype()),
      nameOf(plan.buffer(gemm.d()).dtype()), gemm.transpose_a() ? "t" : "n",
      gemm.transpose_b() ? "t" : "n", static_cast<unsigned long long>(gemm.m()),
      static_cast<unsigned long long>(gemm.n()),
      static_cast<unsigned long long>(gemm.k()), gemm.beta() != 0 ? " +" : "");
  return text;
}

/// What the step is, and the work in it.
ProfileGroup groupOf(const Plan &plan, const fb::Step &step) {
  ProfileGroup group;
  group.count = 1;
  auto add = [&](std::uint32_t buffer) {
    group.bytes += static_cast<double>(plan.bytes(buffer));
  };
  group.what = nameOf(step.operation_type());
  if (auto *gemm = step.operation_as_Gemm()) {
    auto m = static_cast<double>(gemm->m()), n = static_cast<double>(gemm->n()),
         k = static_cast<double>(gemm->k());
    auto size = [&](std::uint32_t i) {
      return static_cast<double>(sizeOf(plan.buffer(i).dtype()));
    };
    group.what = gemmText(plan, *gemm);
    group.flops = 2 * m * n * k;
    group.bytes = m * k * size(gemm->a()) + n * k * size(gemm->b()) +
                  (gemm->beta() != 0 ? 2 : 1) * m * n * size(gemm->d());
  } else if (auto *launch = step.operation_as_Launch()) {
    group.what = printable(
        viewOf(plan.root().kernels()->Get(launch->kernel())->symbol()));
    for (std::uint32_t i = 0; i < sizeOf(launch->reads()); ++i)
      add(launch->reads()->Get(i));
    for (std::uint32_t i = 0; i < sizeOf(launch->writes()); ++i)
      add(launch->writes()->Get(i));
  } else if (auto *copy = step.operation_as_Copy()) {
    add(copy->source());
    add(copy->target());
  } else if (auto *fill = step.operation_as_Fill()) {
    add(fill->target());
  } else if (auto *collective = step.operation_as_Collective()) {
    add(collective->source());
    add(collective->target());
  }
  return group;
}

} // namespace

std::vector<ProfileGroup> groupProfile(const Plan &plan,
                                       const fb::Program &program,
                                       const std::vector<double> &seconds) {
  std::map<std::string, ProfileGroup> byName;
  for (std::uint32_t i = 0; i < program.steps()->size(); ++i) {
    ProfileGroup one = groupOf(plan, *program.steps()->Get(i));
    auto &group = byName[one.what];
    group.what = one.what;
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
    double floor = 0;
    if (ceilings.bytesPerSecond > 0)
      floor = std::max(group.bytes / ceilings.bytesPerSecond,
                       group.flops / ceilings.flopsPerSecond);
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
