#include "runtime/device/cuda/CudaBlasLibrary.h"

#include <dlfcn.h>
#include <string>

namespace llamarun {

static CudaBlasLibrary load() {
  void *library = nullptr;
  std::string tried;
  for (const char *name :
       {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"}) {
    library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library)
      break;
    const char *why = ::dlerror();
    tried += std::string("\n  ") + (why ? why : name);
  }
  if (!library)
    fail(ExitCode::BadInput,
         "plan is for cuda, but cuBLASLt (CUDA 12 or 13) cannot be loaded:",
         tried);
  CudaBlasLibrary lib;
#define LLAMAC_CUBLASLT_FIND(name)                                             \
  lib.name##Fn = reinterpret_cast<decltype(&::name)>(::dlsym(library, #name)); \
  if (!lib.name##Fn)                                                           \
    fail(ExitCode::BadInput, "libcublasLt has no " #name);
  LLAMAC_CUBLASLT_FUNCTIONS(LLAMAC_CUBLASLT_FIND)
#undef LLAMAC_CUBLASLT_FIND
  return lib;
}

const CudaBlasLibrary &CudaBlasLibrary::get() {
  static const CudaBlasLibrary library = load();
  return library;
}

} // namespace llamarun
