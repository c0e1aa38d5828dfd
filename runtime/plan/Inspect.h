//===- Inspect.h - A plan for people and for programs ----------*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"

#include <array>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace llamarun {

/// Bytes the plan asks for, by category: what a Session allocates.
std::array<std::uint64_t, kCategories> plannedBytes(const Plan &plan);

/// Prints target, grid, model, task, adapter, memory by category, programs,
/// collective ledger and kernels.
void inspect(const Plan &plan, std::ostream &out);

/// The same facts as one JSON object (two-space indent, no final newline);
/// bytes that are not UTF-8 become U+FFFD. Keys: file, hash, compiler_version,
/// flags, target, grid, source_grid, target_grid, model, task, adapter, memory,
/// tensors, programs, collectives (each step of each program),
/// collective_totals (by program and axes), kernels, code_objects.
std::string inspectJson(const Plan &plan);

} // namespace llamarun
