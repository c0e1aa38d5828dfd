//===- Homes.h - Where a program's values are computed ---------*- C++ -*-===//
#pragma once

#include "passes/lower/Storage.h"

namespace llamac {

/// Where a value is wanted in the end, decided before it is computed: at a
/// place of its own (a gradient's slot, an output), or as columns of a
/// `llm.concat`.
struct Home {
  mlir::Value container; // the concat's result, or null: `place` counts
  int64_t column = 0;    // in it
  Place place{"", 0};
};

/// The homes of one function's values. A value has at most one; what is wanted
/// in two places is copied to the other by whoever delivers it.
class Homes {
public:
  /// \param stridedAttention the attention kernels take rows that lie apart.
  /// Inserts copies into `function` for parts of a concat that cannot be
  /// computed in it.
  Homes(mlir::func::FuncOp function, const Storage &storage,
        bool stridedAttention);

  const Home *lookup(mlir::Value value) const {
    auto it = homes.find(value);
    return it == homes.end() ? nullptr : &it->second;
  }
  /// The operand whose storage this result of a llm.rowwise takes, or null.
  mlir::Value replaced(mlir::Value result) const {
    return inPlace.lookup(result);
  }
  /// The result of a launch, not of something that only names storage.
  static bool isComputed(mlir::Value value);

private:
  /// Its kernel can write it as columns of something wider.
  bool canLieApart(mlir::Value value) const;
  void want(mlir::Value value, Home home);
  void visit(mlir::Operation *op);
  void visitPanel(llm::PanelOp op);
  void visitRowwise(llm::RowwiseOp op);
  void copyAwkwardParts(bool stridedAttention);

  mlir::func::FuncOp function;
  const Storage &storage;
  bool stridedAttention;
  llvm::DenseMap<mlir::Value, Home> homes;
  llvm::DenseMap<mlir::Value, mlir::Value> inPlace;
};

} // namespace llamac
