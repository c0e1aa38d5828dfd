//===- CpuTarget.h - Which x86-64 the kernels are made for -----*- C++ -*-===//
#pragma once

#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace llamac {

/// An x86-64 micro-architecture level (x86-64 psABI): what CodeObject.arch of
/// the plan says and the runtime compares with its processor.
struct CpuTarget {
  /// "x86-64-v3" (AVX2, FMA) or "x86-64-v4" (AVX-512).
  std::string arch = "x86-64-v3";

  /// Floats a kernel handles at once: two 256-bit registers or one of 512.
  static constexpr unsigned kLanes = 16;

  bool hasAvx512() const { return arch == "x86-64-v4"; }
  /// Keys an attention kernel scores at once: as many accumulators as leave
  /// registers for the operands (16 of 256 bits, or 32 of 512).
  unsigned keyBlock() const { return hasAvx512() ? 8 : 4; }

  /// "native" stands for the best level of this machine. Lower levels than v3
  /// have no fused multiply-add and are refused.
  static mlir::FailureOr<CpuTarget>
  resolve(llvm::StringRef cpu,
          llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
};

} // namespace llamac
