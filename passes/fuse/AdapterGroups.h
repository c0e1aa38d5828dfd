//===- AdapterGroups.h - Linear layers that share an input -----*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/IR/ShardOps.h"

namespace llamac {

/// One linear layer `x W^T`, as `fuse-lower-linear` leaves it, and its LoRA
/// adapter `+ s (x' A^T) B^T`, if it has one.
struct FoldableLayer {
  llm::WeightOp weight;
  llm::MatmulOp base; // x W^T
  // The adapter; null without one.
  llm::AddOp sum;
  llm::MatmulOp down, up; // x' A^T, s t B^T
  mlir::Value a, b;       // the factors as the products read them
  llm::ParameterOp aParameter, bParameter;
  llm::ParameterOp eParameter; // AdaLoRA's: scales the rows of A
  mlir::Value adapterInput;    // x, or dropout of it
  /// Sequence-parallel, with dropout: t is of own tokens, and gathered.
  mlir::shard::AllGatherOp gather;

  bool isAdapted() const { return static_cast<bool>(sum); }
  int64_t rows();
  int64_t rank();
  double scale();
  /// What the rest of the program reads.
  mlir::Value result();
  /// t of all tokens.
  mlir::Value t();
};

/// Layers in program order, all of one input.
struct LayerGroup {
  mlir::Value x;
  llvm::SmallVector<FoldableLayer> layers;

  bool hasAdapters();
  bool hasDropout();
  /// The backward pass reads t of some layer, but never x.
  bool losesInput();
};

/// The all-gather of rows that `value` is, or null.
mlir::shard::AllGatherOp gatherOfRows(mlir::Value value);

/// The groups of a function that are worth folding: those with an adapter or
/// with more than one layer. A weight that something other than a product reads
/// (an embedding that is the head, too) is in none.
llvm::SmallVector<LayerGroup> findLayerGroups(mlir::func::FuncOp function);

} // namespace llamac
