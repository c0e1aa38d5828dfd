//===- NcclLibrary.h - NCCL found at run time ------------------*- C++ -*-===//
#pragma once

#include "runtime/support/Error.h"

// NCCL's header speaks of the CUDA runtime's types, whose header is all it
// needs: nothing of the runtime is linked or called.
#include <nccl.h>

namespace llamarun {

#define LLAMAC_NCCL_FUNCTIONS(X)                                               \
  X(ncclGetVersion)                                                            \
  X(ncclGetUniqueId)                                                           \
  X(ncclCommInitRankConfig)                                                    \
  X(ncclCommGetAsyncError)                                                     \
  X(ncclCommFinalize)                                                          \
  X(ncclCommDestroy)                                                           \
  X(ncclCommAbort)                                                             \
  X(ncclGetErrorString)                                                        \
  X(ncclGetLastError)                                                          \
  X(ncclAllReduce)                                                             \
  X(ncclAllGather)                                                             \
  X(ncclReduceScatter)                                                         \
  X(ncclBroadcast)                                                             \
  X(ncclCommWindowRegister)                                                    \
  X(ncclCommWindowDeregister)

/// libnccl.so.2, loaded once per process and never unloaded.
struct NcclLibrary {
#define LLAMAC_NCCL_MEMBER(name) decltype(&::name) name##Fn = nullptr;
  LLAMAC_NCCL_FUNCTIONS(LLAMAC_NCCL_MEMBER)
#undef LLAMAC_NCCL_MEMBER

  /// \throws Error(BadInput) when there is none, or none of 2.27 or later (the
  /// function it lacks is named).
  static const NcclLibrary &get();

  /// "invalid usage: ..." with what NCCL last said of it.
  std::string describe(ncclResult_t result, ncclComm_t comm) const;
};

} // namespace llamarun
