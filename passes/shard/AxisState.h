//===- AxisState.h - How a value lies along one axis -----------*- C++ -*-===//
#pragma once

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"

#include <string>

namespace llamac {

/// How a value lies along one axis of the grid.
struct AxisState {
  enum Kind {
    Replicated, ///< The same on every device.
    Split,      ///< Device i has part i of dimension `dim`.
    Partial     ///< Every device has a term; the value is their sum.
  };
  Kind kind = Replicated;
  unsigned dim = 0; ///< of Split

  static AxisState split(unsigned dim) { return {Split, dim}; }
  static AxisState partial() { return {Partial, 0}; }
  bool isReplicated() const { return kind == Replicated; }
  bool isSplit() const { return kind == Split; }
  bool isPartial() const { return kind == Partial; }
  bool operator==(const AxisState &o) const {
    return kind == o.kind && (kind != Split || dim == o.dim);
  }
  /// "replicated", "split along dimension 1", "a term of a sum".
  std::string text() const;
};

/// How an op runs along an axis: what its operands have to be, what comes out.
struct OpStates {
  llvm::SmallVector<AxisState, 4> operands, results;
};

/// Follows from the loops of the op (docs/sharding.md) how it runs if its
/// operands lie like `operands` along one axis. A split loop splits results; if
/// it is a sum, they are partial. Ops that are linear pass terms of a sum on,
/// so that the sum is taken as late as it can be and once for all terms; the
/// others ask for it (OpStates::operands differs from `operands`).
///
/// `isBatch`: the axis splits the batch, not tensors. Every device runs whole
/// sequences of its own, so every loop may be split.
///
/// Ops of level fused and ops without loops are not known: fails with an error
/// at the op.
mlir::FailureOr<OpStates>
statesOf(mlir::Operation *op, llvm::ArrayRef<AxisState> operands, bool isBatch);

} // namespace llamac
