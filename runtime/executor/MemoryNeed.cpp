#include "runtime/executor/MemoryNeed.h"

#include "runtime/plan/Inspect.h"
#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <vector>

namespace llamarun {

/// "1234.5 MiB"
static std::string mebibytes(std::uint64_t bytes) {
  char text[48];
  std::snprintf(text, sizeof text, "%.1f MiB",
                static_cast<double>(bytes) / (1 << 20));
  return text;
}

static std::string largestAllocations(const Plan &plan) {
  std::vector<std::size_t> order(plan.allocationCount());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) {
    return plan.allocation(x).bytes() > plan.allocation(y).bytes();
  });
  order.resize(std::min<std::size_t>(order.size(), 8));
  std::string table = "\nlargest allocations:";
  for (auto i : order)
    table += "\n  " + printable(viewOf(plan.allocation(i).name())) + " (" +
             nameOf(plan.allocation(i).category()) +
             "): " + mebibytes(plan.allocation(i).bytes());
  return table;
}

/// What would fit: of each kind the programs up to some bucket.
static std::string whatFits(const Plan &plan, std::uint64_t fixed,
                            std::uint64_t free) {
  std::string text;
  for (auto kind : {fb::ProgramKind::Train, fb::ProgramKind::Accumulate,
                    fb::ProgramKind::Evaluate, fb::ProgramKind::Gradient,
                    fb::ProgramKind::Probe}) {
    const fb::Program *largest = nullptr;
    std::size_t all = 0, fitting = 0;
    for (std::size_t i = 0; i < plan.programCount(); ++i) {
      auto &program = plan.program(i);
      if (program.kind() != kind)
        continue;
      ++all;
      if (fixed > free || program.activation_bytes() > free - fixed)
        continue;
      ++fitting;
      if (!largest || program.tokens() > largest->tokens())
        largest = &program;
    }
    if (!all)
      continue;
    text += "\n  " + std::string(nameOf(kind)) + ": " +
            std::to_string(fitting) + " of " + std::to_string(all) +
            " programs";
    if (largest)
      text += ", up to " + std::to_string(largest->tokens()) + " tokens (" +
              mebibytes(fixed + largest->activation_bytes()) + ")";
  }
  return text;
}

void refuseMemory(const Plan &plan, const std::string &device,
                  const MemoryInfo &memory) {
  auto byCategory = plannedBytes(plan);
  auto needed =
      std::accumulate(byCategory.begin(), byCategory.end(), std::uint64_t{0});
  std::string table;
  for (std::size_t c = 0; c < kCategories; ++c)
    if (byCategory[c])
      table += "\n  " + std::string(nameOf(static_cast<fb::Category>(c))) +
               ": " + mebibytes(byCategory[c]);
  auto fixed =
      needed - byCategory[static_cast<std::size_t>(fb::Category::Activations)];
  table += largestAllocations(plan);
  if (fixed > memory.freeBytes)
    table += "\nno batch is small enough: all but the activations takes " +
             mebibytes(fixed) + " already";
  else
    table += "\na plan of fewer --buckets, or of a smaller "
             "--per-device-batch-size, would fit:" +
             whatFits(plan, fixed, memory.freeBytes);
  fail(ExitCode::DoesNotFit, plan.path(), ": the plan needs ",
       mebibytes(needed), ", ", device, " has ", mebibytes(memory.freeBytes),
       " free of ", mebibytes(memory.totalBytes), table);
}

} // namespace llamarun
