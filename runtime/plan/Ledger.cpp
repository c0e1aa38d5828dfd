#include "runtime/plan/Ledger.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace llamarun {

const char *nameOf(fb::CollectiveKind kind) {
  switch (kind) {
  case fb::CollectiveKind::AllReduceSum:
    return "all_reduce sum";
  case fb::CollectiveKind::AllReduceMax:
    return "all_reduce max";
  case fb::CollectiveKind::AllGather:
    return "all_gather";
  case fb::CollectiveKind::ReduceScatterSum:
    return "reduce_scatter sum";
  case fb::CollectiveKind::Broadcast:
    return "broadcast";
  }
  return "unknown";
}

const Link &linkOf(const Plan &plan) {
  return fb::linkOf(viewOf(plan.target().kind()));
}

std::vector<LedgerEntry> ledgerOf(const Plan &plan,
                                  const fb::Program &program) {
  std::vector<LedgerEntry> ledger;
  auto &root = plan.root();
  for (std::uint32_t i = 0; i < program.steps()->size(); ++i) {
    auto &step = *program.steps()->Get(i);
    auto *op = step.operation_as_Collective();
    if (!op)
      continue;
    LedgerEntry entry{
        &program,
        i,
        op->kind(),
        plan.buffer(op->source()).dtype(),
        {},
        1,
        std::max(plan.bytes(op->source()), plan.bytes(op->target())),
        step.stream(),
        std::string(viewOf(root.locations()->Get(step.location()))),
        0};
    for (auto axis : *op->axes()) {
      auto *its = root.grid()->Get(axis);
      if (!entry.axes.empty())
        entry.axes += ',';
      entry.axes += viewOf(its->name());
      entry.devices *= its->size();
    }
    entry.seconds =
        fb::secondsOf(linkOf(plan), entry.kind, entry.devices, entry.bytes);
    ledger.push_back(std::move(entry));
  }
  return ledger;
}

std::vector<LedgerLine> linesOf(const std::vector<LedgerEntry> &ledger) {
  auto keyOf = [](const LedgerEntry &e) {
    return std::tuple(e.kind, e.dtype, e.axes, e.bytes, e.stream);
  };
  std::vector<LedgerLine> lines;
  std::map<decltype(keyOf(ledger[0])), std::size_t> places;
  std::set<std::pair<std::size_t, std::string>> locations;
  for (auto &entry : ledger) {
    auto [it, isNew] = places.emplace(keyOf(entry), lines.size());
    if (isNew)
      lines.push_back({entry});
    auto &line = lines[it->second];
    ++line.count;
    line.locations += locations.emplace(it->second, entry.location).second;
  }
  return lines;
}

std::vector<LedgerTotal> totalsOf(const std::vector<LedgerEntry> &ledger) {
  std::vector<LedgerTotal> totals;
  for (auto &entry : ledger) {
    auto it = std::find_if(totals.begin(), totals.end(),
                           [&](auto &t) { return t.axes == entry.axes; });
    if (it == totals.end())
      it = totals.insert(it, LedgerTotal{entry.axes});
    ++it->count;
    it->bytes += entry.bytes;
    it->seconds += entry.seconds;
  }
  return totals;
}

} // namespace llamarun
