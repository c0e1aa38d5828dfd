//===- ValueStates.h - How the values of a program lie ---------*- C++ -*-===//
#pragma once

#include "passes/shard/AxisState.h"
#include "passes/shard/GridSizes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <array>

namespace llamac {

/// How a value lies, by axis of the grid.
using States = std::array<AxisState, kAxes>;

/// `type` with `size` elements along dimension `dim`.
mlir::RankedTensorType withDim(mlir::Type type, unsigned dim, int64_t size);

/// How each value of a program lies on the grid; makes of a value what an op
/// needs, with collectives.
class ValueStates {
public:
  ValueStates(mlir::func::FuncOp function, mlir::shard::GridOp grid)
      : function(function), grid(grid) {}

  States &operator[](mlir::Value value) { return states[value]; }
  int64_t devices(unsigned axis) { return grid.getShape()[axis]; }
  bool isSplit(mlir::Value value, unsigned dim) {
    return states[value][kTensorAxis] == AxisState::split(dim);
  }

  /// `value` as `wanted`, before `user`; null, with an error at it, if nothing
  /// makes that of it. Terms become their sum by an all-reduce, or parts of it
  /// by a reduce-scatter; parts become the whole by an all-gather; of what
  /// every device has it takes its rows (llm.local_rows). Each once: later
  /// users get the same value.
  mlir::Value convert(mlir::Value value, const States &wanted,
                      mlir::Operation *user);

  /// What an earlier convert() made of `value` as `wanted`; null if none did.
  mlir::Value made(mlir::Value value, const States &wanted);

  /// What an earlier convert() made of `value`, a term of a sum; null if there
  /// is none.
  mlir::Value sumOf(mlir::Value value);

  /// An all-gather over tp along `dim`, with builder `b`; its state is not set.
  mlir::Value gather(mlir::OpBuilder &b, mlir::Value value, unsigned dim);

  /// The input grid_index: this device's index along each axis.
  mlir::Value place();
  /// Number of this device's first row of `rows`, counted over axis tp.
  mlir::Value firstRow(int64_t rows);

private:
  mlir::func::FuncOp function;
  mlir::shard::GridOp grid;
  llvm::DenseMap<mlir::Value, States> states;
  llvm::DenseMap<mlir::Value,
                 llvm::SmallVector<std::pair<States, mlir::Value>, 1>>
      converted;
  mlir::Value placeInput;
  llvm::DenseMap<int64_t, mlir::Value> firstRows;

  mlir::LogicalResult check(mlir::Value value, const States &wanted,
                            mlir::Operation *user);
};

} // namespace llamac
