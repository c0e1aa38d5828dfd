//===- GpuRowwise.h - llm.rowwise as one block per row ---------*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"

namespace llamac {

/// Threads of the blocks that compute one row of `op` each: a multiple of the
/// warp, at most 256, no more than the columns need.
int64_t gpuRowwiseThreads(llm::RowwiseOp op);

/// Appends to `target` the kernel
///   symbol(ptr<global> input..., ptr<global> result...)
/// that computes row blockIdx.x of `op` with gpuRowwiseThreads(op) threads. As
/// on the CPU, neither the number of rows nor the first dimension of a tensor
/// is in the code.
///
/// The body is split at its reductions: in each pass over the row a thread
/// takes every gpuRowwiseThreads-th column. Add reductions sum per thread in
/// column order, then over the lanes of a warp by halving, then over the warps
/// in order: an order that depends on the number of columns alone. Max ignores
/// NaN. Multiplications and additions of the body may be fused.
///
/// Fails with a diagnostic for body ops without a GPU form, element types other
/// than f32, f64, i32 and i64.
mlir::FailureOr<mlir::gpu::GPUFuncOp>
emitGpuRowwise(mlir::OpBuilder &builder, mlir::gpu::GPUModuleOp target,
               llvm::StringRef symbol, llm::RowwiseOp op);

} // namespace llamac
