//===- DrawProgram.h - Programs of a module as drawings --------*- C++ -*-===//
#pragma once

#include "compiler/draw/Drawing.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace llamac {

/// Draws one program of a module at any level: a function of the levels graph
/// to fused, or a plan.program.
///
/// At the levels of values a box is an op with the shapes of its results, how
/// weights and parameters are split, axes of collectives and location; an arrow
/// is a value. In a plan a box is a step with the buffers it writes, the kernel
/// or size of product, stream and location; an arrow goes from the step that
/// last wrote to memory to the one that reads it, whatever views they have of
/// it, or from the tensor that lies there. Frames are layers, forward and
/// backward apart.
///
/// \param name of the program; empty: the training program with the most
///   tokens, or the first one. An error lists the names there are.
llvm::Expected<Drawing> drawProgram(mlir::ModuleOp module,
                                    llvm::StringRef name);

} // namespace llamac
