//===- CpuRowwise.h - llm.rowwise as a loop over rows ----------*- C++ -*-===//
#pragma once

#include "passes/codegen/CpuTarget.h"

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {

/// Appends to `target` the function
///   void symbol(void *const *buffers, const int64_t *scalars,
///               int64_t begin, int64_t end)
/// that computes rows [begin, end) of `op`. Neither the number of rows nor the
/// first dimension of a tensor is in the code: the function serves the same op
/// for every token bucket. It uses no scalars.
///
/// The body is split at its reductions: one loop over the columns for each
/// level of them, which reads its inputs again (they are in cache), and a last
/// one that writes. Add reductions sum in an order that depends on the number
/// of columns alone. Max ignores NaN. Multiplications and additions of the body
/// may be fused.
///
/// Fails with a diagnostic for body ops without a CPU form, element types other
/// than f32, f64, i32 and i64, and columns that are not contiguous.
mlir::FailureOr<mlir::LLVM::LLVMFuncOp> emitCpuRowwise(mlir::OpBuilder &builder,
                                                       mlir::ModuleOp target,
                                                       llvm::StringRef symbol,
                                                       llm::RowwiseOp op);

} // namespace llamac
