//===- StepCosts.h - What the steps of a program are -----------*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamarun {

/// One step of a program: what it is called, and the work in it.
struct StepCost {
  /// The same for steps that are the same work: a kernel's symbol, "gemm
  /// f32->f32 nt 96x128x128 +" (+ where it adds to what is there), "all_reduce
  /// sum over tp, f32 32768 B".
  std::string title;
  const char *operation = ""; ///< "gemm", "launch", ...
  std::string shape;          ///< of a GEMM: "96x128x128", m, n, k
  std::string detail;         ///< of a kernel: what it does
  std::string position;       ///< in the model: "demo.mlir:62:13"
  std::string name; ///< of the op: "model.layers.0.mlp.down_proj.lora"
  unsigned stream = 0;
  /// Operands, each once; a kernel's are its whole buffers, also where it
  /// gathers some rows of them.
  double bytes = 0;
  /// Of products, and attention's share of what the program counts.
  double flops = 0;

  // --- of a collective ------------------------------------------------------
  std::string axes;        ///< "tp", "dp,tp"
  std::uint64_t group = 0; ///< its axes as a mask, without those of one device
  std::uint64_t devices = 1; ///< in a group
  double predicted = 0;      ///< seconds (CollectiveCost.h)
  /// The step whose kernel takes the sum, if it is not this one's work.
  std::int64_t takenBy = -1;
};

/// Of every step, in order.
std::vector<StepCost> stepCosts(const Plan &plan, const fb::Program &program);

} // namespace llamarun
