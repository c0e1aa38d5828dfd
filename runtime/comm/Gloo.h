//===- Gloo.h - Collectives between CPUs -----------------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"

#include <memory>

namespace llamarun {

/// Gloo's TCP transport carries the bytes, over the interface that reaches
/// World::masterAddress; the arithmetic is ours. Every sum is taken in order of
/// rank, each element by one rank, so that it depends on nothing but the
/// group's size: neither on how many elements a call has, nor on how calls are
/// combined.
///
/// Up to some KiB all ranks send everything to each other and each adds for
/// itself; beyond, each adds its part of the elements and sends the sums around
/// (2 (n - 1) / n times the bytes go out, in pieces of bounded size).
///
/// Takes f32, bf16, f64, i32, i64; AllGather and Broadcast everything.
std::unique_ptr<Communicators> createGlooCommunicators(const Plan &plan,
                                                       Peers &peers);

} // namespace llamarun
