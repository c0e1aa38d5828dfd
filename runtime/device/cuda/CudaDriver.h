//===- CudaDriver.h - libcuda found at run time ----------------*- C++ -*-===//
#pragma once

#include "runtime/support/Error.h"

#include <cuda.h>

#include <string>

namespace llamarun {

/// Driver functions the device calls. cuda.h renames many of them to versioned
/// symbols (cuMemAlloc is cuMemAlloc_v2); the list follows it.
#define LLAMAC_CUDA_FUNCTIONS(X)                                               \
  X(cuDriverGetVersion)                                                        \
  X(cuInit)                                                                    \
  X(cuGetErrorName)                                                            \
  X(cuGetErrorString)                                                          \
  X(cuDeviceGetCount)                                                          \
  X(cuDeviceGet)                                                               \
  X(cuDeviceGetName)                                                           \
  X(cuDeviceGetAttribute)                                                      \
  X(cuDevicePrimaryCtxRetain)                                                  \
  X(cuDevicePrimaryCtxRelease)                                                 \
  X(cuCtxSetCurrent)                                                           \
  X(cuCtxSynchronize)                                                          \
  X(cuCtxGetCurrent)                                                           \
  X(cuCtxEnablePeerAccess)                                                     \
  X(cuCtxGetStreamPriorityRange)                                               \
  X(cuMemGetInfo)                                                              \
  X(cuMemAlloc)                                                                \
  X(cuMemFree)                                                                 \
  X(cuIpcGetMemHandle)                                                         \
  X(cuIpcOpenMemHandle)                                                        \
  X(cuIpcCloseMemHandle)                                                       \
  X(cuMemcpyHtoD)                                                              \
  X(cuMemcpyHtoDAsync)                                                         \
  X(cuMemcpyDtoHAsync)                                                         \
  X(cuMemcpyDtoDAsync)                                                         \
  X(cuMemcpy2DAsync)                                                           \
  X(cuMemGetAllocationGranularity)                                             \
  X(cuMemCreate)                                                               \
  X(cuMemRelease)                                                              \
  X(cuMemAddressReserve)                                                       \
  X(cuMemAddressFree)                                                          \
  X(cuMemMap)                                                                  \
  X(cuMemUnmap)                                                                \
  X(cuMemSetAccess)                                                            \
  X(cuMemHostAlloc)                                                            \
  X(cuMemFreeHost)                                                             \
  X(cuMemsetD32)                                                               \
  X(cuMemsetD8Async)                                                           \
  X(cuMemsetD16Async)                                                          \
  X(cuMemsetD32Async)                                                          \
  X(cuMemsetD2D32Async)                                                        \
  X(cuModuleLoadDataEx)                                                        \
  X(cuModuleUnload)                                                            \
  X(cuModuleGetFunction)                                                       \
  X(cuFuncGetAttribute)                                                        \
  X(cuFuncSetAttribute)                                                        \
  X(cuFuncGetParamInfo)                                                        \
  X(cuLaunchKernelEx)                                                          \
  X(cuStreamCreateWithPriority)                                                \
  X(cuStreamDestroy)                                                           \
  X(cuStreamSynchronize)                                                       \
  X(cuStreamWaitEvent)                                                         \
  X(cuStreamBeginCapture)                                                      \
  X(cuStreamEndCapture)                                                        \
  X(cuEventCreate)                                                             \
  X(cuEventRecord)                                                             \
  X(cuEventRecordWithFlags)                                                    \
  X(cuEventSynchronize)                                                        \
  X(cuEventQuery)                                                              \
  X(cuEventElapsedTime)                                                        \
  X(cuEventDestroy)                                                            \
  X(cuGraphGetEdges)                                                           \
  X(cuGraphAddDependencies)                                                    \
  X(cuGraphRemoveDependencies)                                                 \
  X(cuGraphNodeGetType)                                                        \
  X(cuGraphKernelNodeGetParams)                                                \
  X(cuGraphInstantiateWithFlags)                                               \
  X(cuGraphUpload)                                                             \
  X(cuGraphLaunch)                                                             \
  X(cuGraphDestroy)                                                            \
  X(cuGraphExecDestroy)

/// libcuda.so.1, loaded once per process and never unloaded.
struct CudaDriver {
#define LLAMAC_CUDA_MEMBER(name) decltype(&::name) name##Fn = nullptr;
  LLAMAC_CUDA_FUNCTIONS(LLAMAC_CUDA_MEMBER)
#undef LLAMAC_CUDA_MEMBER

  /// \throws Error(BadInput) when the library is absent, older than CUDA 12.4
  /// (the function it lacks is named) or finds no device.
  static const CudaDriver &get();

  /// "CUDA_ERROR_INVALID_VALUE (invalid argument)".
  std::string describe(CUresult result) const;

  /// \throws Error that names the call and CUDA's error: DoesNotFit when memory
  /// is short, else BadInput.
  void check(CUresult result, const char *call) const {
    if (result != CUDA_SUCCESS)
      refuse(result, call);
  }
  [[noreturn]] void refuse(CUresult result, const char *call) const;
};

/// LLAMAC_CU(driver, cuStreamSynchronize, stream): calls and checks.
#define LLAMAC_CU(driver, name, ...)                                           \
  (driver).check((driver).name##Fn(__VA_ARGS__), #name)

} // namespace llamarun
