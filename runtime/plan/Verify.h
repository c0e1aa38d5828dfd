//===- Verify.h - Semantic verification of a plan --------------*- C++ -*-===//
//
// What FlatBuffers' verifier cannot know: that indices, offsets, shapes and
// operands fit together. Runs on every load, before anything uses the plan.
// (Kernels are machine code: what they do inside is trusted, only the buffers
// they are given are checked.)
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/plan/plan_generated.h"

#include <string>
#include <string_view>

namespace llamarun {

/// Verifies all of `plan`, whose FlatBuffers structure is already verified.
/// `name` is the file in messages. \throws Error(BadInput) naming what is
/// wrong, for steps with program, step number and MLIR location.
void verifyPlan(const ::llama::plan::Plan &plan, const std::string &name);

/// `text` with control characters replaced by '?', cut to a length fit for a
/// message.
std::string printable(std::string_view text);

} // namespace llamarun
