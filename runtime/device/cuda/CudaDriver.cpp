#include "runtime/device/cuda/CudaDriver.h"

#include <dlfcn.h>

namespace llamarun {

// Two levels, so that cuda.h's renaming happens before the text is made.
#define LLAMAC_CUDA_TEXT(name) #name
#define LLAMAC_CUDA_SYMBOL(name) LLAMAC_CUDA_TEXT(name)

static CudaDriver load() {
  // RTLD_GLOBAL: cuBLASLt looks for the same library by itself.
  void *library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    const char *why = ::dlerror();
    fail(ExitCode::BadInput,
         "plan is for cuda, but libcuda.so.1 cannot be loaded: ",
         why ? why : "unknown", " (is the NVIDIA driver installed?)");
  }
  CudaDriver driver;
  auto find = [&](auto &function, const char *symbol) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(
        ::dlsym(library, symbol));
    if (!function)
      fail(ExitCode::BadInput, "libcuda.so.1 has no ", symbol,
           ": the NVIDIA driver is too old, it must be at least CUDA 12.4's");
  };
#define LLAMAC_CUDA_FIND(name) find(driver.name##Fn, LLAMAC_CUDA_SYMBOL(name));
  LLAMAC_CUDA_FUNCTIONS(LLAMAC_CUDA_FIND)
#undef LLAMAC_CUDA_FIND
  auto result = driver.cuInitFn(0);
  if (result == CUDA_ERROR_NO_DEVICE)
    fail(ExitCode::BadInput, "plan is for cuda, but this machine has no GPU "
                             "(CUDA_ERROR_NO_DEVICE; nvidia-smi, "
                             "CUDA_VISIBLE_DEVICES)");
  if (result == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)
    fail(ExitCode::BadInput, "plan is for cuda, but libcuda.so.1 and the "
                             "kernel's NVIDIA driver are of different "
                             "versions; restart after an update");
  driver.check(result, "cuInit");
  return driver;
}

const CudaDriver &CudaDriver::get() {
  // A failure throws out of the initializer: the next call tries again.
  static const CudaDriver driver = load();
  return driver;
}

std::string CudaDriver::describe(CUresult result) const {
  const char *name = nullptr, *text = nullptr;
  cuGetErrorNameFn(result, &name);
  cuGetErrorStringFn(result, &text);
  return (name ? name : "CUDA error " + std::to_string(int(result))) +
         (text ? " (" + std::string(text) + ")" : "");
}

void CudaDriver::refuse(CUresult result, const char *call) const {
  fail(result == CUDA_ERROR_OUT_OF_MEMORY ? ExitCode::DoesNotFit
                                          : ExitCode::BadInput,
       call, ": ", describe(result));
}

} // namespace llamarun
