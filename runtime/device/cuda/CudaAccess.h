//===- CudaAccess.h - A GPU for other libraries of the process -*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaContext.h"

namespace llamarun {

/// What NCCL needs of a device of kind "cuda": put work on its streams, in a
/// capture or not.
class CudaAccess {
public:
  virtual ~CudaAccess() = default;
  virtual const CudaContext &cudaContext() const = 0;
  virtual CUstream cudaStream(StreamId stream) = 0;
  /// Called after a library has put work on a stream.
  virtual void cudaEnqueued(StreamId stream) = 0;

  /// Null unless `device` is a GPU.
  static CudaAccess *of(Device &device) {
    return dynamic_cast<CudaAccess *>(&device);
  }
};

} // namespace llamarun
