#include "runtime/comm/NcclLibrary.h"

#include <dlfcn.h>
#include <string>

namespace llamarun {

static NcclLibrary load() {
  void *library = ::dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = ::dlerror();
    fail(ExitCode::BadInput,
         "plan is for several GPUs, but NCCL cannot be loaded: ",
         why ? why : "libnccl.so.2");
  }
  NcclLibrary nccl;
#define LLAMAC_NCCL_FIND(name)                                                 \
  nccl.name##Fn =                                                              \
      reinterpret_cast<decltype(&::name)>(::dlsym(library, #name));            \
  if (!nccl.name##Fn)                                                          \
    fail(ExitCode::BadInput,                                                   \
         "libnccl.so.2 has no " #name ": NCCL 2.27 or later is needed");
  LLAMAC_NCCL_FUNCTIONS(LLAMAC_NCCL_FIND)
#undef LLAMAC_NCCL_FIND
  return nccl;
}

const NcclLibrary &NcclLibrary::get() {
  static const NcclLibrary library = load();
  return library;
}

std::string NcclLibrary::describe(ncclResult_t result, ncclComm_t comm) const {
  std::string text = ncclGetErrorStringFn(result);
  if (const char *more = ncclGetLastErrorFn(comm); more && *more)
    text += std::string(": ") + more;
  return text;
}

} // namespace llamarun
