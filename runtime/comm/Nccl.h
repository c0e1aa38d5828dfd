//===- Nccl.h - Collectives between GPUs -----------------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"

#include <memory>

namespace llamarun {

/// NCCL, with non-blocking communicators. A thread of its own looks for NCCL's
/// asynchronous errors and aborts: kernels that wait for a lost peer then end,
/// and with them whoever waits for the stream. \throws Error(BadInput) when
/// NCCL, or in this build its header, is missing.
std::unique_ptr<Communicators>
createNcclCommunicators(const Plan &plan, Peers &peers, Device &device);

} // namespace llamarun
