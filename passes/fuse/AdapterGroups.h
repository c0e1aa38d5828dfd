//===- AdapterGroups.h - Linear layers that share an input -----*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

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

  bool isAdapted() const { return static_cast<bool>(sum); }
  int64_t rows();
  int64_t rank();
  double scale();
  /// What the rest of the program reads.
  mlir::Value result();
};

/// Layers in program order, all of one input.
struct LayerGroup {
  mlir::Value x;
  llvm::SmallVector<FoldableLayer> layers;

  bool hasAdapters();
  bool hasDropout();
};

/// The groups of a function that are worth folding: those with an adapter or
/// with more than one layer. A weight that something other than a product reads
/// (an embedding that is the head, too) is in none.
llvm::SmallVector<LayerGroup> findLayerGroups(mlir::func::FuncOp function);

} // namespace llamac
