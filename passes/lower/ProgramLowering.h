//===- ProgramLowering.h - One function as one plan.program ----*- C++ -*-===//
#pragma once

#include "passes/lower/KernelTable.h"
#include "passes/lower/Storage.h"

namespace llamac {

struct LoweringOptions {
  /// The attention kernels take rows that lie apart.
  bool stridedAttention = false;
};

/// Builds the plan.program of `function` at the builder's insertion point.
void lowerProgram(mlir::OpBuilder &builder, mlir::func::FuncOp function,
                  const Storage &storage, KernelTable &kernels,
                  const LoweringOptions &options);

} // namespace llamac
