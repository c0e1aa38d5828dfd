//===- EmitPlan.h - The plan dialect as the bytes of plan.fb ---*- C++ -*-===//
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace llamac {

/// Writes the plan that `module` holds to `bytes`: the header of
/// runtime/plan/Container.h and the FlatBuffer of runtime/plan/plan.fbs. Only
/// `plan` ops at the top level of the module are read; the order of the tables
/// is that of the ops. The same module gives the same bytes, wherever it is
/// compiled: file names in locations are given without their folders.
///
/// Fails with a diagnostic, and leaves `bytes` alone, if the module lacks
/// `plan.target`, `llm.model` or `llm.task`, a buffer has no offset, a kernel
/// no code object, or a size does not fit its field. Without `llm.adapter` the
/// plan trains none. The module must be verified.
mlir::LogicalResult emitPlan(mlir::ModuleOp module, std::string &bytes);

} // namespace llamac
