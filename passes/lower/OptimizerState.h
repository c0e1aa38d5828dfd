//===- OptimizerState.h - State tensors of a plan --------------*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

namespace llamac {

/// A State tensor of one element that every plan that trains has, whole on
/// every device (docs/plan.md).
struct OptimizerState {
  llvm::StringLiteral name;
  llm::Flat flat;
  bool isInteger; // i64, else f64
  double initial;
};

inline constexpr OptimizerState kOptimizerState[] = {
    {"optimizer.step", llm::Flat::Step, true, 0},
    {"optimizer.beta1_power", llm::Flat::Beta1Power, false, 1},
    {"optimizer.beta2_power", llm::Flat::Beta2Power, false, 1},
};

} // namespace llamac
