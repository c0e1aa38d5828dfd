//===- CudaDevice.h - One NVIDIA GPU as a device ---------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"

#include <memory>

namespace llamarun {

/// GEMM by cuBLASLt, generated kernels from cubin or PTX, captured programs as
/// CUDA graphs. libcuda and cuBLASLt are loaded here, at run time.
/// \throws Error(BadInput) when one of them or the GPU is missing, or when this
/// build was made without CUDA's headers.
std::unique_ptr<Device> createCudaDevice(const DeviceOptions &options);

} // namespace llamarun
