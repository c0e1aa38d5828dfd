//===- ReshardPipeline.h - Plans that change layouts -----------*- C++ -*-===//
#pragma once

#include "compiler/options/CompilerOptions.h"

#include "mlir/IR/BuiltinOps.h"

namespace llamac {

/// Turns a model into a plan that changes the layout of what a training plan of
/// the same options trains: from `options.reshardFrom` to `options.grid`
/// (docs/checkpoints.md). The result is a module at level plan for one CPU,
/// proved by `shard-verify-reshard`. \p options.stopAfter does not count. On
/// failure a diagnostic has been emitted and `reproducer` written as by
/// runPipeline().
mlir::LogicalResult runReshardPipeline(mlir::ModuleOp module,
                                       const CompilerOptions &options,
                                       llvm::StringRef reproducer);

} // namespace llamac
