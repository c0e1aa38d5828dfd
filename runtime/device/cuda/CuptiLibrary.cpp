#include "runtime/device/cuda/CuptiLibrary.h"

#include <dlfcn.h>

namespace llamarun {

const CuptiLibrary *CuptiLibrary::find(std::string &why) {
  static CuptiLibrary library;
  static bool loaded = false;
  if (loaded)
    return &library;
  void *handle = nullptr;
  std::string tried;
  // Beside the other libraries, or where CUDA's own packages put it.
  for (const char *name : {"libcupti.so.13", "libcupti.so.12", "libcupti.so",
                           "/usr/local/cuda/lib64/libcupti.so",
                           "/usr/local/cuda/extras/CUPTI/lib64/libcupti.so"}) {
    handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle)
      break;
    const char *error = ::dlerror();
    if (tried.empty())
      tried = error ? error : name;
  }
  if (!handle) {
    why = "CUPTI (CUDA 12 or 13) cannot be loaded: " + tried;
    return nullptr;
  }
#define LLAMAC_CUPTI_FIND(name)                                                \
  library.name##Fn =                                                           \
      reinterpret_cast<decltype(&::name)>(::dlsym(handle, #name));             \
  if (!library.name##Fn) {                                                     \
    why = "libcupti has no " #name ": it must be CUDA 12's or later";          \
    return nullptr;                                                            \
  }
  LLAMAC_CUPTI_FUNCTIONS(LLAMAC_CUPTI_FIND)
#undef LLAMAC_CUPTI_FIND
  loaded = true;
  return &library;
}

std::string CuptiLibrary::describe(CUptiResult result) const {
  const char *name = nullptr;
  cuptiGetResultStringFn(result, &name);
  std::string text = name ? name : "CUPTI error " + std::to_string(int(result));
  switch (result) {
  case CUPTI_ERROR_INSUFFICIENT_PRIVILEGES:
  case CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES:
    return text + " (only the administrator may profile this GPU: run as root, "
                  "with CAP_SYS_ADMIN, or load the driver's module with "
                  "NVreg_RestrictProfilingToAdminUsers=0)";
  case CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED:
    return text + " (another profiler is attached to this process)";
  default:
    return text;
  }
}

} // namespace llamarun
