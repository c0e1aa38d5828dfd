//===- CudaContext.h - One GPU's primary context ---------------*- C++ -*-===//
#pragma once

#include "runtime/device/cuda/CudaDriver.h"

#include <cstdint>
#include <string>

namespace llamarun {

/// Retains the primary context of one visible GPU, which libraries of the
/// process share.
class CudaContext {
public:
  /// \throws Error(BadInput) when there is no driver or no such GPU.
  explicit CudaContext(unsigned ordinal);
  ~CudaContext();
  CudaContext(const CudaContext &) = delete;
  CudaContext &operator=(const CudaContext &) = delete;

  /// The driver's functions with this context current: two devices may take
  /// turns on one thread.
  const CudaDriver &use() const {
    LLAMAC_CU(driver, cuCtxSetCurrent, context);
    return driver;
  }

  /// The same where nothing may be thrown: in destructors.
  const CudaDriver &useQuietly() const noexcept {
    driver.cuCtxSetCurrentFn(context);
    return driver;
  }

  /// Leaves the context to the end of the process.
  void abandon() noexcept { abandoned = true; }
  CUdevice gpu() const { return device; }
  int attribute(CUdevice_attribute which) const;
  int major() const {
    return attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  }
  int minor() const {
    return attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  }
  /// "NVIDIA H200"
  const std::string &name() const { return description; }

private:
  const CudaDriver &driver;
  CUdevice device = 0;
  CUcontext context = nullptr;
  bool abandoned = false;
  std::string description;
};

inline CUdeviceptr addressOf(const void *pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}

} // namespace llamarun
