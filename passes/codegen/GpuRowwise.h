//===- GpuRowwise.h - llm.rowwise for NVIDIA GPUs --------------*- C++ -*-===//
#pragma once

#include "passes/codegen/GpuRowwiseShape.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"

#include <optional>

namespace llamac {

struct GpuRowwiseOptions {
  /// Of the buffers in bytes, inputs then results; 16 where there is no entry.
  llvm::SmallVector<int64_t> alignments;
  /// Start and end as programmatic dependent launches do (sm_90 and later): let
  /// the next grid be placed, then wait for the memory of the one before.
  bool programmatic = false;
  /// An input is this GPU's term of a sum over GPUs, which the kernel takes.
  struct Sum {
    unsigned input;
    int64_t devices;
  };
  std::optional<Sum> sum;
};

/// Arguments that a kernel with `sum` has after all others.
constexpr unsigned kSumArguments = 6;

struct GpuRowwiseKernel {
  mlir::gpu::GPUFuncOp function;
  GpuRowwiseShape shape;
};

/// Appends to `target` the kernel
///   symbol(ptr<global> input..., ptr<global> result... [, i64 rows])
/// for launches of shape.grid(rows) blocks of shape.blockThreads() threads;
/// `rows` is there if
/// shape.takesRows(). As on the CPU, neither the number of rows nor the first
/// dimension of a tensor is in the code otherwise.
///
/// Accesses move 16 bytes where columns are contiguous and rows and buffers
/// aligned. The body is split at its reductions into passes over the row, which
/// stays in registers where it fits; a maximum and the sum
/// of exponentials below it are one pass. Sums add up per thread and lane in
/// column order, then lanes, threads of a warp and warps
/// by halving: an order that depends on the number of columns and the types
/// alone. Max ignores NaN. Multiplications and additions of the body may be
/// fused. A body with columns of bf16 computes their exponentials and quotients
/// to about 2^-17.
///
/// A thread reads all its elements of a vector of columns before it writes any,
/// and no thread writes before all have read what reductions need: results may
/// alias inputs element by element.
///
/// With `sum` the kernel takes six more i64 (runtime/plan/plan.fbs, table
/// Launch) and gives every element of that input, bf16 or f32, the sum over the
/// GPUs, taken in f32 in order of rank and rounded to the input's type: the
/// same bytes on all of them. The input is dense, [rows, cols].
///
/// Fails with a diagnostic for body ops without a GPU form, element types other
/// than f32, f64, bf16, i32 and i64, and for a sum over an input that threads
/// do not hold whole rows of.
mlir::FailureOr<GpuRowwiseKernel>
emitGpuRowwise(mlir::OpBuilder &builder, mlir::gpu::GPUModuleOp target,
               llvm::StringRef symbol, llm::RowwiseOp op,
               const GpuRowwiseOptions &options = {});

/// Whether the kernel of `op`, whose buffers are aligned to 16 bytes, can take
/// a sum of terms of `input`.
bool canSumInKernel(llm::RowwiseOp op, unsigned input);

} // namespace llamac
