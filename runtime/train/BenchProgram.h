//===- BenchProgram.h - Times of a model's own program ---------*- C++ -*-===//
#pragma once

#include "runtime/train/Bench.h"

namespace llamarun {

/// Writes the inputs of a program of kind Gradient: `loss_scale` = 1 / rows of
/// all replicas, `grid_index` and `random` as docs/plan.md says, everything
/// else normal(0, 1), a function of seed, name and the element's index in the
/// batch of all replicas. \throws Error(BadInput) for other inputs of integers:
/// what they may be only the model knows.
void drawInputs(Session &session, const fb::Program &program,
                std::uint64_t seed, const Ranks &ranks);

/// The largest program that its model brought. \throws Error(BadInput) if there
/// is none.
const fb::Program *largestProgram(const Plan &plan);

/// Runs the plan's program of kind Gradient, the largest if there are several,
/// on drawn inputs that stay on the device: `options.warmup` runs, then
/// `options.steps` timed ones, put in one behind the other as fast as the host
/// can. Samples and tokens are rows of all replicas. All ranks call it.
/// \throws Error(BadInput) if there is none, Error(Numerics) if the loss is not
/// finite.
BenchResult benchProgram(Session &session, const Ranks &ranks,
                         std::uint64_t seed, const BenchOptions &options);

} // namespace llamarun
