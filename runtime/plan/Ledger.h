//===- Ledger.h - What a plan's ranks say to each other --------*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"

namespace llamarun {

/// "all_reduce sum", "all_gather", ...
const char *nameOf(fb::CollectiveKind kind);

} // namespace llamarun
