//===- GraphSurgery.h - Moving and regrouping ops of a program -*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "llvm/ADT/SmallPtrSet.h"

namespace llamac {

/// Users of a value that is to come from after `position` move behind it, and
/// their users behind them.
void moveUsersAfter(mlir::Value value, mlir::Operation *position);

/// Finds the smallest sum of llm.add ops that has all `terms`, one of which
/// defines `term`: its result, and its other addends. False if there is none.
bool findSum(mlir::Value term, llvm::SmallPtrSetImpl<mlir::Operation *> &terms,
             mlir::Value &root, llvm::SmallVector<mlir::Value> &others);

/// Erases such a sum, now unused, and its terms.
void eraseSum(mlir::Value sum, llvm::SmallPtrSetImpl<mlir::Operation *> &terms);

/// Two rotations by the same angles.
bool sameRotation(llm::RopeOp a, llm::RopeOp b);

} // namespace llamac
