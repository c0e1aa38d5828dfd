//===- Liveness.h - First and last step that uses a buffer -----*- C++ -*-===//
#pragma once

#include "dialects/plan/PlanDialect.h"

namespace llamac {

/// One activation buffer of a program and the steps between which it is live.
struct LiveBuffer {
  plan::BufferOp op;
  int64_t bytes;
  int64_t first, last; // step numbers, inclusive
};

/// Buffers in Activations allocations, in the order of their definition.
/// plan.output keeps one alive to the end. Unused buffers are left out.
llvm::SmallVector<LiveBuffer> liveActivations(plan::ProgramOp program);

} // namespace llamac
