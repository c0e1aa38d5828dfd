//===- Passes.h - Passes of the phase "graph" ------*- C++ -*-===//
#pragma once

#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace llamac {

#define GEN_PASS_DECL
#include "passes/graph/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/graph/Passes.h.inc"

} // namespace llamac
