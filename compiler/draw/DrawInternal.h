//===- DrawInternal.h - What both ways of drawing share --------*- C++ -*-===//
#pragma once

#include "compiler/draw/Drawing.h"
#include "dialects/plan/PlanDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/Types.h"

#include <optional>

namespace llamac {

/// "128x64xf32"
std::string shapeText(mlir::Type type);

/// The number after "layers." in a name or location, if there is one.
std::optional<unsigned> layerIn(llvm::StringRef text);

/// Where in a step of training an op is; ops come in this order.
enum class Phase { Forward, Backward, Optimizer };
/// The phase that begins with an op of that name, or before's.
Phase phaseAt(llvm::StringRef name, Phase before);
/// "layer 3", "layer 3, backward", "optimizer"; empty: in no frame.
std::string frameOf(std::optional<unsigned> layer, Phase phase);

/// By the op's name ("linear", "rms_norm_grad", "all_reduce").
NodeKind kindOf(llvm::StringRef name);

Drawing drawFunction(mlir::func::FuncOp function);
Drawing drawSteps(plan::ProgramOp program);

} // namespace llamac
