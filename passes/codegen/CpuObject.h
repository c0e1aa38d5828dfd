//===- CpuObject.h - Kernels as an ELF shared object -----------*- C++ -*-===//
#pragma once

#include "passes/codegen/CpuTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

#include <string>

namespace llamac {

/// What compileToSharedObject needs in the context: dialects and translations.
void registerCpuObjectDialects(mlir::DialectRegistry &registry);

/// Compiles a module of kernels (functions in scf, arith, math, vector and the
/// LLVM dialect; it is lowered in place) for `target` and links an ELF shared
/// object. Returns its bytes, the same for the same module every time.
///
/// The object exports the module's functions, needs no library and names no
/// external symbol, file or path. Needs ld.lld or ld on PATH (or LLVM's
/// folder). Fails with a diagnostic at the module.
mlir::FailureOr<std::string> compileToSharedObject(mlir::ModuleOp module,
                                                   const CpuTarget &target);

} // namespace llamac
