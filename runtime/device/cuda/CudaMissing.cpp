// Takes CudaDevice.cpp's place where CUDA's headers are absent.
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/support/Error.h"

namespace llamarun {

std::unique_ptr<Device> createCudaDevice(const DeviceOptions &) {
  fail(ExitCode::BadInput, "plan is for cuda, but this llamarun was built "
                           "without CUDA's headers (cuda.h, cublasLt.h)");
}

} // namespace llamarun
