//===- GpuRowwiseMath.h - exp and division on an NVIDIA GPU ----*- C++ -*-===//
#pragma once

#include "passes/codegen/KernelBuilder.h"

namespace llamac {

/// e^x of f32 scalars or vectors, within 2 units in the last place wherever the
/// result is a normal number; subnormal results are rounded once more. 0 for
/// -inf, inf for inf, NaN for NaN. Range reduction as for a base-2 exponential
/// instruction: the exponent is kept in the range of normal numbers, and what
/// that leaves over goes into the instruction.
mlir::Value emitGpuExp(KernelBuilder &k, mlir::Value x);

/// e^x, with a relative error of |x| * 2^-23 and subnormal results as 0: for
/// values that are rounded to bf16, and for x <= 0 in sums that have a term 1.
mlir::Value emitGpuFastExp(KernelBuilder &k, mlir::Value x);

/// 1 / x within 2^-22, subnormal results as 0: for values that are rounded to
/// bf16.
mlir::Value emitGpuFastReciprocal(KernelBuilder &k, mlir::Value x);

} // namespace llamac
