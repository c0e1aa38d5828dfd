//===- RowwiseBuilder.h - Writing llm.rowwise ops by hand ------*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

namespace llm {

/// Collects inputs and yields of one llm.rowwise and builds it:
///
///   RowwiseBuilder k(builder, loc, rows, cols);
///   Value x = k.input(xTensor, k.element());       // scalars of the body
///   k.yield(k.mul(x, x), resultType, k.element());
///   ValueRange results = k.finish();
class RowwiseBuilder {
public:
  RowwiseBuilder(mlir::OpBuilder &builder, mlir::Location loc, int64_t rows,
                 int64_t cols);

  /// (r, c) -> (r, c), (r), (c), (constant).
  mlir::AffineMap element();
  mlir::AffineMap perRow();
  mlir::AffineMap perColumn();
  mlir::AffineMap at(int64_t index);
  mlir::AffineMap map(llvm::ArrayRef<mlir::AffineExpr> results,
                      unsigned symbols = 0);
  mlir::AffineExpr row, col, index;

  /// Adds an input and returns its scalar, bf16 widened to f32. `indexInput` is
  /// a value that `input` returned before, for maps with a symbol.
  mlir::Value input(mlir::Value tensor, mlir::AffineMap map,
                    mlir::Value indexInput = {});
  /// Yields `value` to the result numbered `result`; a new number adds a result
  /// of type `type`; f32 is rounded where that is bf16.
  void yield(mlir::Value value, mlir::Type type, mlir::AffineMap map,
             unsigned result);
  void yield(mlir::Value value, mlir::Type type, mlir::AffineMap map) {
    yield(value, type, map, resultTypes.size());
  }
  llvm::SmallVector<mlir::Value> finish();

  // Body arithmetic, at the end of the body.
  mlir::Value constant(double value, mlir::Type type = {});
  mlir::Value integer(int64_t value, mlir::Type type = {});
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value reduce(ReduceKind kind, mlir::Value value);
  mlir::Value sigmoid(mlir::Value x);
  mlir::OpBuilder &body() { return bodyBuilder; }
  mlir::Location loc() { return location; }

private:
  mlir::OpBuilder &builder;
  mlir::Location location;
  int64_t rows, cols;
  mlir::Block *block;
  mlir::OpBuilder bodyBuilder;
  std::unique_ptr<mlir::Region> region;
  llvm::SmallVector<mlir::Value> inputs, yields;
  llvm::SmallVector<mlir::Attribute> inputMaps, yieldMaps;
  llvm::SmallVector<int64_t> indexInputs, yieldResults;
  llvm::SmallVector<mlir::Type> resultTypes;
};

} // namespace llm
