//===- PlanDialect.h - The dialect of the compiled plan --------*- C++ -*-===//
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/plan/PlanEnums.h.inc"

#include "dialects/plan/PlanDialect.h.inc"

#include "dialects/plan/PlanInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.h.inc"

namespace plan {

/// Bytes of one element; 0 for a type that plan.fbs' DType does not have.
int64_t elementBytes(mlir::Type elementType);

/// Bytes of a row-major tensor of static shape. Empty if the element type is
/// none of a plan's or the product is above 2^47, the runtime's limit.
std::optional<int64_t> placeBytes(mlir::RankedTensorType type);

/// The devices along `axes` of a grid of the module that `op` lies in. Empty,
/// with an error on `op`, if an axis is missing or repeated.
mlir::FailureOr<int64_t>
devicesAlong(mlir::Operation *op, llvm::ArrayRef<int64_t> axes,
             llvm::StringRef gridAttr = PlanDialect::kGridAttr);

} // namespace plan
