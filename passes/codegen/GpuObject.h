//===- GpuObject.h - Kernels as cubin or PTX -------------------*- C++ -*-===//
#pragma once

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

#include <string>

namespace llamac {

/// What compileGpuModule needs in the context: dialects and translations.
void registerGpuObjectDialects(mlir::DialectRegistry &registry);

struct GpuObject {
  std::string bytes;
  bool isCubin = false; ///< else PTX text
};

/// Compiles the one gpu.module in `module` (kernels in gpu, scf, arith, math
/// and the LLVM dialect; lowered in place) for `arch` ("sm_90"). A cubin if
/// `wantCubin` and ptxas is found ($CUDA_HOME/bin, PATH, /usr/local/cuda/bin),
/// else PTX, which the driver compiles when the plan is loaded. Fails with a
/// diagnostic at the module.
mlir::FailureOr<GpuObject>
compileGpuModule(mlir::ModuleOp module, llvm::StringRef arch, bool wantCubin);

/// "sm_" and a compute capability of 8.0 at least, with or without the suffix
/// a.
bool isGpuArch(llvm::StringRef arch);

/// Ten times the compute capability of an `arch` that isGpuArch takes: 90 for
/// sm_90 and sm_90a.
unsigned computeCapability(llvm::StringRef arch);

} // namespace llamac
