//===- CudaLaunch.h - Checks and launches of generated kernels -*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaContext.h"

namespace llamarun {

/// Checks a launch against the kernel and the GPU: grid, block, dynamic shared
/// memory (raises the kernel's limit to what the launch asks for), and that
/// the kernel takes one 8-byte parameter per buffer and scalar.
/// \throws Error(BadInput).
void prepareCudaLaunch(const CudaContext &context, const LaunchCall &call);

/// One pointer per buffer, reads first, then one int64 per scalar. `early`: may
/// start while the kernel before it on the stream runs (CUDA C++ Programming
/// Guide, "Programmatic Dependent Launch"); in a capture that becomes a
/// programmatic edge of the graph.
void cudaLaunch(const CudaContext &context, CUstream stream,
                const LaunchCall &call, bool early);

} // namespace llamarun
