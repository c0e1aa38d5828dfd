//===- Passes.h - Passes of the phase "adapters" ------*- C++ -*-===//
#pragma once

#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace llamac {

#define GEN_PASS_DECL
#include "passes/adapters/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/adapters/Passes.h.inc"

} // namespace llamac
