#include "runtime/comm/NcclLibrary.h"

#include <cstdlib>
#include <dlfcn.h>
#include <string>

namespace llamarun {

// Measured on two H200s (bench/results/2026-11-22-h200-collectives.md); what
// the user has set counts more.
//  * Kernels over shared windows use 8 blocks of their own accord, 16 are a
//    quarter to a third faster and 64 no more.
//  * Support for graphs that run beside each other is a node more for each
//  call,
//    1.2 us; ours run one after another.
static void preferences() {
  ::setenv("NCCL_SYM_CTAS", "16", 0);
  ::setenv("NCCL_GRAPH_MIXING_SUPPORT", "0", 0);
}

static NcclLibrary load() {
  preferences();
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
