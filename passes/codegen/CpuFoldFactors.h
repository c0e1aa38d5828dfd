//===- CpuFoldFactors.h - Factors into folded weights on the CPU *- C++ -*-===//
//
// Work items are rows of 1024 elements of the flat parameters. scalars[0] is
// the number of segments, which need not be in order.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {

/// Appends the kernel of llm.fold_into to `target`: buffers params, segments,
/// result. Fails with a diagnostic for results that are not f32.
mlir::FailureOr<mlir::LLVM::LLVMFuncOp>
emitCpuFoldFactors(mlir::OpBuilder &builder, mlir::ModuleOp target,
                   llvm::StringRef symbol, llm::FoldIntoOp op);

} // namespace llamac
