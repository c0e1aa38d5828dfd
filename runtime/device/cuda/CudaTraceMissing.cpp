// Built without CUPTI's headers.
#include "runtime/device/cuda/CudaTrace.h"

namespace llamarun {

std::unique_ptr<DeviceTrace>
makeCudaTrace(const CudaContext &, std::function<WorkTag()>, std::string &why) {
  why = "this llamarun was built without CUPTI's headers (cupti.h)";
  return nullptr;
}

} // namespace llamarun
