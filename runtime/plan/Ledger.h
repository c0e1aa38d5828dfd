//===- Ledger.h - What a plan's ranks say to each other --------*- C++ -*-===//
#pragma once

#include "runtime/plan/CollectiveCost.h"
#include "runtime/plan/Plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamarun {

/// "all_reduce sum", "all_gather", ...
const char *nameOf(fb::CollectiveKind kind);

using fb::Link;
/// Of the plan's target (CollectiveCost.h).
const Link &linkOf(const Plan &plan);

/// One step that is a collective.
struct LedgerEntry {
  const fb::Program *program;
  std::uint32_t step;
  fb::CollectiveKind kind;
  fb::DType dtype;
  std::string axes; ///< "dp", "dp,tp"
  std::uint64_t devices;
  std::uint64_t bytes; ///< of its larger side, on one rank
  unsigned stream;
  std::string location;
  double seconds; ///< predicted; 0 for a group of one
};
/// Every collective of a program, in order; the ranks of a grid run the same
/// list.
std::vector<LedgerEntry> ledgerOf(const Plan &plan, const fb::Program &program);

/// Entries that differ in nothing but step and location.
struct LedgerLine {
  LedgerEntry first;
  std::size_t count = 0;
  std::size_t locations = 0; ///< different ones
};
/// In order of their first entries.
std::vector<LedgerLine> linesOf(const std::vector<LedgerEntry> &ledger);

/// What goes over one set of axes in one run of a program.
struct LedgerTotal {
  std::string axes;
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  double seconds = 0; ///< one after another
};
std::vector<LedgerTotal> totalsOf(const std::vector<LedgerEntry> &ledger);

} // namespace llamarun
