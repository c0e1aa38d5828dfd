//===- GridSizes.h - The grid of a module ----------------------*- C++ -*-===//
#pragma once

#include "passes/shard/Layouts.h"

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {

constexpr unsigned kAxes = 2; // GridAxis

/// Inputs that are the same for the whole batch; all others have a row for each
/// token or sequence of a device's own part of it (docs/plan.md).
inline bool isPerStep(llvm::StringRef input) {
  return input == "loss_scale" || input == "hyper" || input == "random" ||
         input == "grid_index" || input == "adalora";
}

/// The module's only shard.grid, with the axes dp and tp; null, with an error,
/// if there is no such one.
inline mlir::shard::GridOp theGrid(mlir::ModuleOp module) {
  auto grids = module.getOps<mlir::shard::GridOp>();
  if (llvm::hasSingleElement(grids) &&
      (*grids.begin()).getShape().size() == kAxes &&
      llvm::all_of((*grids.begin()).getShape(),
                   [](int64_t n) { return n >= 1; }))
    return *grids.begin();
  module.emitError("needs exactly one shard.grid, of shape dp x tp");
  return {};
}

} // namespace llamac
