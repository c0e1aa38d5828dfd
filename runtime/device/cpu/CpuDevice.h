//===- CpuDevice.h - The host CPU as a device ------------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"

#include <memory>

namespace llamarun {

/// f32, a BLAS for GEMM, a thread pool, generated kernels from ELF. Results do
/// not depend on the number of threads. Outside a capture work runs at once.
std::unique_ptr<Device> createCpuDevice(const DeviceOptions &options);

} // namespace llamarun
