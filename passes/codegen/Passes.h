//===- Passes.h - Passes of the phase "codegen" ----------------*- C++ -*-===//
#pragma once

#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace llamac {

#define GEN_PASS_DECL
#include "passes/codegen/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/codegen/Passes.h.inc"

} // namespace llamac
