//===- ParameterLayout.h - Where parameters lie in the flat buffers -*- C++
//-*-===//
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

namespace llamac {

/// The flat layout that parameters, gradients and both moments share: float32
/// (where no optimizer goes over them: of any type), every parameter at a
/// multiple of 64 bytes, the whole padded to rows of 1024 elements
/// (docs/plan.md). Parameters whose gradients llm.reduce_gradients
/// sums together lie together, in the order of these ops; otherwise they are in
/// the order of their first appearance. Where some are parts of a tensor, parts
/// and whole ones do not share a row.
struct ParameterLayout {
  static constexpr int64_t kColumns = 1024;
  static constexpr int64_t kAlignment = 64; // bytes

  struct Entry {
    mlir::RankedTensorType type;
    int64_t offset;             // bytes
    mlir::Operation *parameter; // the first llm.parameter of the name
    /// A part of a tensor that several devices hold: the axes that split it.
    bool isPart() const;
  };
  llvm::MapVector<llvm::StringRef, Entry> entries;
  int64_t rows = 0;
  /// For each row: whether its parameters are parts.
  llvm::SmallVector<bool> partRows;
  bool hasParts() const { return llvm::is_contained(partRows, true); }

  explicit ParameterLayout(mlir::ModuleOp module);
  int64_t bytes() const { return rows * kColumns * 4; }
  mlir::RankedTensorType flatType(mlir::MLIRContext *context) const;
  /// Bytes [begin, end) of the parameters of these names, if nothing else lies
  /// between them; fails if something does.
  mlir::FailureOr<std::pair<int64_t, int64_t>>
  rangeOf(mlir::ArrayAttr names) const;
};

} // namespace llamac
