//===- CpuTriplets.h - AdaLoRA's kernels on the CPU -------------*- C++ -*-===//
//
// scalars[0] is M, the number of modules. Work items: 2M matrices (grams,
// finish), 3M (scores), 1 (mask).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace llamac {

/// Append the kernel of the op to `target`.
mlir::LLVM::LLVMFuncOp emitCpuTripletGrams(mlir::OpBuilder &builder,
                                           mlir::ModuleOp target,
                                           llvm::StringRef symbol,
                                           llm::TripletGramsOp op);
mlir::LLVM::LLVMFuncOp emitCpuTripletFinish(mlir::OpBuilder &builder,
                                            mlir::ModuleOp target,
                                            llvm::StringRef symbol,
                                            llm::TripletFinishOp op);
mlir::LLVM::LLVMFuncOp emitCpuTripletScores(mlir::OpBuilder &builder,
                                            mlir::ModuleOp target,
                                            llvm::StringRef symbol,
                                            llm::TripletScoresOp op);
mlir::LLVM::LLVMFuncOp emitCpuTripletMask(mlir::OpBuilder &builder,
                                          mlir::ModuleOp target,
                                          llvm::StringRef symbol,
                                          llm::TripletMaskOp op);

} // namespace llamac
