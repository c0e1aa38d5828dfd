#include "runtime/device/cuda/CudaContext.h"

namespace llamarun {

CudaContext::CudaContext(unsigned ordinal) : driver(CudaDriver::get()) {
  int count = 0;
  LLAMAC_CU(driver, cuDeviceGetCount, &count);
  if (count < 0 || ordinal >= static_cast<unsigned>(count))
    fail(ExitCode::BadInput, "plan is for cuda, but GPU ", ordinal,
         " does not exist: ", count,
         " visible (nvidia-smi, CUDA_VISIBLE_DEVICES)");
  LLAMAC_CU(driver, cuDeviceGet, &device, static_cast<int>(ordinal));
  char text[256] = "";
  LLAMAC_CU(driver, cuDeviceGetName, text, sizeof text, device);
  description = text;
  LLAMAC_CU(driver, cuDevicePrimaryCtxRetain, &context, device);
  auto result = driver.cuCtxSetCurrentFn(context);
  if (result != CUDA_SUCCESS) {
    driver.cuDevicePrimaryCtxReleaseFn(device);
    driver.refuse(result, "cuCtxSetCurrent");
  }
}

CudaContext::~CudaContext() {
  if (!abandoned)
    driver.cuDevicePrimaryCtxReleaseFn(device);
}

int CudaContext::attribute(CUdevice_attribute which) const {
  int value = 0;
  LLAMAC_CU(driver, cuDeviceGetAttribute, &value, which, device);
  return value;
}

} // namespace llamarun
