//===- GraphSurgery.h - Moving and regrouping ops of a program -*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"
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

/// Of a part of a matrix, which would keep all of it in memory.
mlir::Value copyOf(mlir::OpBuilder &builder, mlir::Value part);

/// What `gather` gathers and `columns`, as many rows, side by side: gathered at
/// once, so that neither needs a copy to get there.
mlir::Value gatherBoth(mlir::OpBuilder &builder,
                       mlir::shard::AllGatherOp gather, mlir::Value columns);

} // namespace llamac
