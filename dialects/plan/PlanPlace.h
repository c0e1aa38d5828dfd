//===- PlanPlace.h - Check of a place in an allocation ---------*- C++ -*-===//
#pragma once

#include "dialects/plan/PlanDialect.h"

namespace plan {

/// The allocation `symbol` that `op` uses, or null after an error on `op`: the
/// symbol is none, or a tensor of `type` at byte `offset` does not fit in it or
/// is not aligned. Without an offset only the symbol is checked. `pitch`:
/// elements from row to row of a matrix, if not its row length.
AllocationOp
checkPlace(mlir::Operation *op, mlir::SymbolTableCollection &symbols,
           mlir::FlatSymbolRefAttr symbol, mlir::RankedTensorType type,
           std::optional<uint64_t> offset, std::optional<uint64_t> pitch = {});

} // namespace plan
