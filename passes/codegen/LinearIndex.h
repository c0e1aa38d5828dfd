//===- LinearIndex.h - An affine map as an element offset ------*- C++ -*-===//
#pragma once

#include "passes/codegen/KernelBuilder.h"

#include "mlir/IR/AffineMap.h"

namespace llamac {

/// Offset in elements of `map(r, c)[s0]` in a contiguous row-major tensor:
/// a part of the row (and s0) alone, plus `column` * c. The size of the
/// tensor's first dimension is not in it, so it holds for every token bucket.
struct LinearIndex {
  int64_t column = 0;
  int64_t constant = 0;
  /// Multiples of r, s0, and of floordiv and mod expressions of r.
  llvm::SmallVector<std::pair<mlir::AffineExpr, int64_t>> terms;
  /// Greatest value of s0 where a dimension other than the first bounds it.
  std::optional<int64_t> indexBound;

  /// Fails if the column is inside a floordiv or mod, or an operand of those
  /// may be negative.
  static mlir::FailureOr<LinearIndex> get(mlir::AffineMap map,
                                          llvm::ArrayRef<int64_t> shape);

  /// Whether the row's part is the same in all rows.
  bool isRowInvariant() const { return terms.empty(); }
  /// The largest power of two, at most 64, that divides every row's part.
  int64_t rowAlignment() const;

  /// The row's part as i64. `row` is an i64, or an i32 that is not negative.
  mlir::Value emitRowPart(KernelBuilder &k, mlir::Value row,
                          mlir::Value index) const;
};

} // namespace llamac
