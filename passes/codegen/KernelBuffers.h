//===- KernelBuffers.h - Order of a kernel's buffers -----------*- C++ -*-===//
#pragma once

#include "mlir/IR/Operation.h"

namespace llamac {

/// Where a source op's tensors are among the kernel's buffers: operand i is
/// buffer `operands[i]`, result j is buffer `firstResult + j`.
struct KernelBuffers {
  llvm::SmallVector<unsigned> operands;
  unsigned firstResult = 0;

  /// Operands in order, then results. Operands that are arguments of the
  /// enclosing plan.kernel's block keep their argument's number.
  static KernelBuffers of(mlir::Operation *source);
};

} // namespace llamac
