//===- Passes.h - Passes of the phase "shard" ------*- C++ -*-===//
#pragma once

#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace llamac {

#define GEN_PASS_DECL
#include "passes/shard/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/shard/Passes.h.inc"

} // namespace llamac
