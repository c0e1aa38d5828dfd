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

/// AdaLoRA's mask, the State tensor f32 [modules, r] of docs/plan.md.
inline constexpr llvm::StringLiteral kKeptTriplets = "adalora.kept";

/// Whether a parameter is a factor of AdaLoRA, which has averages of
/// sensitivity and uncertainty; LoRA's factors end with ".weight".
inline bool isTripletFactor(llvm::StringRef parameter) {
  return parameter.ends_with(".lora_A") || parameter.ends_with(".lora_E") ||
         parameter.ends_with(".lora_B");
}

} // namespace llamac
