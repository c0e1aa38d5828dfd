//===- Pipeline.h - From model.mlir to the plan dialect --------*- C++ -*-===//
#pragma once

#include "compiler/options/CompilerOptions.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

namespace llamac {

/// Dialects of model files and of plans. Not `shard`: its verifier crashes on
/// hostile annotations (docs/sharding.md), and the pass that needs it loads it.
void registerDialects(mlir::DialectRegistry &registry);

/// Every pass, for llama-opt and for crash reproducers.
void registerPasses();

/// Functions of the module are programs already (llm.program), with inputs,
/// loss and static shapes of their own: no head, task or token buckets make
/// them.
bool bringsPrograms(mlir::ModuleOp module);

/// Whether the tensors of a model file fall into equal parts over `tp` devices;
/// if not, the error that shard-annotate would give.
mlir::LogicalResult checkLayout(mlir::ModuleOp module, int64_t tp);

/// Runs the levels graph, train, sharded, fused and plan up to
/// `options.stopAfter`, each ending with its verifier. Writes
/// `<dumpPhases>/<n>-<level>.mlir` after each if asked. On failure a diagnostic
/// has been emitted and `reproducer` (if not empty) holds the module and the
/// pipeline that failed, for llama-opt --run-reproducer.
mlir::LogicalResult runPipeline(mlir::ModuleOp module,
                                const CompilerOptions &options,
                                llvm::StringRef reproducer);

} // namespace llamac
