//===- ParameterLayout.h - Where parameters lie in the flat buffers -*- C++
//-*-===//
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/MapVector.h"

namespace llamac {

/// The flat layout that parameters, gradients and both moments share: float32,
/// every parameter at a multiple of 64 bytes, in the order of their first
/// appearance, the whole padded to rows of 1024 elements (docs/plan.md).
struct ParameterLayout {
  static constexpr int64_t kColumns = 1024;
  static constexpr int64_t kAlignment = 64; // bytes

  struct Entry {
    mlir::RankedTensorType type;
    int64_t offset;             // bytes
    mlir::Operation *parameter; // the first llm.parameter of the name
  };
  llvm::MapVector<llvm::StringRef, Entry> entries;
  int64_t rows = 0;

  explicit ParameterLayout(mlir::ModuleOp module);
  int64_t bytes() const { return rows * kColumns * 4; }
  mlir::RankedTensorType flatType(mlir::MLIRContext *context) const;
};

} // namespace llamac
