//===- CuptiLibrary.h - NVIDIA's profiling library, at run time -*- C++ -*-===//
#pragma once

#include <cupti.h>
#include <string>

namespace llamarun {

#define LLAMAC_CUPTI_FUNCTIONS(X)                                              \
  X(cuptiGetVersion)                                                           \
  X(cuptiGetResultString)                                                      \
  X(cuptiSubscribe)                                                            \
  X(cuptiUnsubscribe)                                                          \
  X(cuptiEnableCallback)                                                       \
  X(cuptiGetGraphNodeId)                                                       \
  X(cuptiActivityRegisterTimestampCallback)                                    \
  X(cuptiActivityRegisterCallbacks)                                            \
  X(cuptiActivityEnable)                                                       \
  X(cuptiActivityDisable)                                                      \
  X(cuptiActivityFlushAll)                                                     \
  X(cuptiActivityGetNextRecord)                                                \
  X(cuptiActivityGetNumDroppedRecords)

/// libcupti of CUDA 12 or 13, loaded once per process and never unloaded.
struct CuptiLibrary {
#define LLAMAC_CUPTI_MEMBER(name) decltype(&::name) name##Fn = nullptr;
  LLAMAC_CUPTI_FUNCTIONS(LLAMAC_CUPTI_MEMBER)
#undef LLAMAC_CUPTI_MEMBER

  /// Null where it is missing or too old; then `why` says so.
  static const CuptiLibrary *find(std::string &why);

  /// "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES", and what helps.
  std::string describe(CUptiResult result) const;
};

} // namespace llamarun
