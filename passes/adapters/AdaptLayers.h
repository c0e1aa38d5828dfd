//===- AdaptLayers.h - What adapters of all kinds share ---------*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"
#include "passes/adapters/TargetMatcher.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

#include <optional>

namespace llamac {

/// The module a linear layer belongs to, or empty: the weight's name without
/// ".weight". The embedding, tied as LM head, is no module of its own.
llvm::StringRef moduleOf(llm::LinearOp layer);

/// Calls `adapt` for every linear layer of every function whose module the
/// matcher takes, and to which a placement, if there is one, gives a rank;
/// returns these modules in the order of their appearance. Fails with an error
/// at the module if there is none; `what` selects them, as messages say it.
mlir::FailureOr<llvm::SmallVector<llvm::StringRef>> adaptLayers(
    mlir::ModuleOp module, const TargetMatcher &matcher,
    llvm::function_ref<void(mlir::func::FuncOp, llm::LinearOp, llvm::StringRef)>
        adapt,
    llvm::StringRef what = "adapter: targets");

/// Rank by module, where `adapters-place` has been; otherwise empty.
std::optional<llvm::StringMap<int64_t>> placedRanks(mlir::ModuleOp module);

/// Targets as adapter_config.json has them: what the user gave or, where a
/// placement chose among those, the paths of the modules.
mlir::ArrayAttr recordedTargets(mlir::ModuleOp module,
                                const TargetMatcher &matcher,
                                llvm::ArrayRef<llvm::StringRef> modules);

/// A factor: f32 whatever the base computes in, as PEFT's are
/// (autocast_adapter_dtype).
mlir::Value makeFactor(mlir::OpBuilder &b, mlir::Location loc,
                       llvm::StringRef name, int64_t rows, int64_t columns,
                       llm::InitKind init, double bound);

/// The matrix as products of the type `element` read it.
mlir::Value roundedTo(mlir::OpBuilder &b, mlir::Location loc,
                      mlir::Type element, mlir::Value matrix);

/// What the adapter of `layer` reads: the layer's input, in training programs
/// with elements dropped with probability `dropout`; `key` tells the draws of
/// one adapter from another's.
mlir::Value adapterInput(mlir::OpBuilder &b, mlir::Location loc,
                         mlir::func::FuncOp function, llm::LinearOp layer,
                         llvm::StringRef key, double dropout);

} // namespace llamac
