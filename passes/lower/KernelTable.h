//===- KernelTable.h - Equal kernels once ----------------------*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"

namespace llamac {

/// Turns source ops into plan.kernel ops. Ops that differ in the number of rows
/// alone (token buckets) share one kernel.
class KernelTable {
public:
  /// New kernels are created at the builder's insertion point.
  explicit KernelTable(mlir::OpBuilder builder) : builder(builder) {}

  /// The kernel of a llm.rowwise, llm.attention or llm.attention_grad.
  llvm::StringRef kernelFor(mlir::Operation *source);

private:
  mlir::OpBuilder builder;
  llvm::DenseMap<
      llvm::hash_code,
      llvm::SmallVector<std::pair<mlir::Operation *, plan::KernelOp>>>
      kernels;
  unsigned count = 0;

  plan::KernelOp create(mlir::Operation *source);
};

} // namespace llamac
