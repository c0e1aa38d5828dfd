//===- CpuMath.h - exp, log and rsqrt without a math library ---*- C++ -*-===//
#pragma once

#include "passes/codegen/KernelBuilder.h"

namespace llamac {

/// e^x of f32 scalars or vectors, within 2 units in the last place wherever the
/// result is a normal number; subnormal results are rounded once more. 0 for
/// -inf and everything below -104, inf above 88.73, NaN for NaN.
/// Range reduction and polynomial: Cephes expf (Moshier).
mlir::Value emitExp(KernelBuilder &k, mlir::Value x);

/// Natural logarithm of f32 scalars or vectors, within 2 units in the last
/// place, subnormals included. -inf for 0, NaN below 0 and for NaN.
/// Range reduction and polynomial: Cephes logf (Moshier).
mlir::Value emitLog(KernelBuilder &k, mlir::Value x);

/// 1 / sqrt(x), both correctly rounded.
mlir::Value emitRsqrt(KernelBuilder &k, mlir::Value x);

} // namespace llamac
