//===- AdapterGradients.h - The backward pass of a layer -------*- C++ -*-===//
#pragma once

#include "passes/fuse/AdapterGroups.h"

#include "mlir/Dialect/Shard/IR/ShardOps.h"

namespace llamac {

/// What the backward pass has of one layer; null where it has none.
struct LayerGradients {
  mlir::Value dy;
  llm::MatmulOp dxBase; // dy W
  llm::MatmulOp dt;     // s dy B
  llm::MatmulOp dxA;    // dt A
  llm::MatmulOp dA;     // dt^T x'
  /// Sequence-parallel: dt is a term, x' this device's tokens.
  mlir::shard::ReduceScatterOp scatter;
};

/// Finds them; false if they do not look as differentiation, and the partition
/// after it, leave them.
bool findGradients(FoldableLayer &layer, LayerGradients &found);

} // namespace llamac
