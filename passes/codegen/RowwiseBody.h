//===- RowwiseBody.h - What generators of llm.rowwise share ----*- C++ -*-===//
#pragma once

#include "passes/codegen/LinearIndex.h"

#include "dialects/llm/LlmDialect.h"

namespace llamac {

/// An llm.rowwise op as a generator sees it: where its elements are, which
/// values vary along a row, and in how many passes over the row it can be done.
class RowwiseBody {
public:
  /// One input or yield as a function of row and column.
  struct Access {
    LinearIndex index;
    mlir::Type element;
  };

  /// What a generator can do beyond the common ground.
  struct Abilities {
    bool bf16 = false; ///< buffers of bf16, and bodies that convert and select
    bool online = false; ///< onlineMax() in the pass of its maximum
  };

  explicit RowwiseBody(llm::RowwiseOp op) : op(op) {}
  RowwiseBody(llm::RowwiseOp op, Abilities abilities)
      : op(op), abilities(abilities) {}

  /// Fills `reads`, `writes` and `levels`. Fails with a diagnostic that calls
  /// the generator `target` ("CPU", "GPU") for body ops without a form in its
  /// kernels, element types other than f32, f64, i32, i64 and, if it can, bf16,
  /// and maps whose column is inside a floordiv or mod.
  mlir::LogicalResult analyze(llvm::StringRef target);

  /// For `sum`, an f32 sum of exp(z - m) where m is the maximum of the same z:
  /// the reduction that is m. Maximum and sum then need one pass together
  /// (Milakov, Gimelshein: Online normalizer calculation for softmax, 2018).
  /// Null for any other reduction and for generators without that ability.
  llm::RowReduceOp onlineMax(llm::RowReduceOp sum);

  /// The same in every column of a row; everything is if there is one column.
  bool isUniform(mlir::Value value);

  /// Emits one op of the body (no argument, reduction or index) on values of
  /// `lanes` elements.
  mlir::Value emitOp(KernelBuilder &k, mlir::Operation *bodyOp,
                     llvm::function_ref<mlir::Value(mlir::Value)> operand,
                     unsigned lanes);

  llm::RowwiseOp op;
  llvm::SmallVector<Access> reads, writes;
  /// Reductions by the passes over the row that must come before: level i needs
  /// the results of levels below i. Empty if there is one column.
  llvm::SmallVector<llvm::SmallVector<llm::RowReduceOp>> levels;

private:
  Abilities abilities;
  mlir::FailureOr<Access> analyzeAccess(mlir::AffineMap map, mlir::Type type,
                                        const llvm::Twine &what,
                                        llvm::StringRef target);
  mlir::LogicalResult analyzeOp(mlir::Operation *bodyOp,
                                llvm::StringRef target);
  unsigned levelOf(mlir::Value value);

  llvm::DenseMap<mlir::Value, unsigned> levelMemo;
  llvm::DenseMap<mlir::Value, bool> uniformity;
};

} // namespace llamac
