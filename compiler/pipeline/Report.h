//===- Report.h - What a plan costs ----------------------------*- C++ -*-===//
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"

namespace llamac {

/// Prints what `--report` promises of a module at level plan: parameters (all
/// and trainable), FLOPs, bytes and steps of every program, and peak memory by
/// category, which is exactly what the runtime allocates.
void printReport(mlir::ModuleOp module, llvm::raw_ostream &out);

} // namespace llamac
