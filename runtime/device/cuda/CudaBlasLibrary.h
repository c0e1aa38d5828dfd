//===- CudaBlasLibrary.h - cuBLASLt's functions ----------------*- C++ -*-===//
#pragma once

#include "runtime/support/Error.h"

#include <cublasLt.h>

namespace llamarun {

#define LLAMAC_CUBLASLT_FUNCTIONS(X)                                           \
  X(cublasLtCreate)                                                            \
  X(cublasLtDestroy)                                                           \
  X(cublasLtGetVersion)                                                        \
  X(cublasLtGetStatusName)                                                     \
  X(cublasLtMatmulDescCreate)                                                  \
  X(cublasLtMatmulDescDestroy)                                                 \
  X(cublasLtMatmulDescSetAttribute)                                            \
  X(cublasLtMatrixLayoutCreate)                                                \
  X(cublasLtMatrixLayoutDestroy)                                               \
  X(cublasLtMatmulPreferenceCreate)                                            \
  X(cublasLtMatmulPreferenceDestroy)                                           \
  X(cublasLtMatmulPreferenceSetAttribute)                                      \
  X(cublasLtMatmulAlgoGetHeuristic)                                            \
  X(cublasLtMatmulAlgoConfigGetAttribute)                                      \
  X(cublasLtMatmulAlgoConfigSetAttribute)                                      \
  X(cublasLtMatmulAlgoCheck)                                                   \
  X(cublasLtMatmul)

/// libcublasLt.so.13, .so.12 or .so, loaded once per process, never unloaded.
struct CudaBlasLibrary {
#define LLAMAC_CUBLASLT_MEMBER(name) decltype(&::name) name##Fn = nullptr;
  LLAMAC_CUBLASLT_FUNCTIONS(LLAMAC_CUBLASLT_MEMBER)
#undef LLAMAC_CUBLASLT_MEMBER

  /// \throws Error(BadInput) when there is none or it lacks a function.
  static const CudaBlasLibrary &get();

  /// \throws Error that names the call and the status.
  void check(cublasStatus_t status, const char *call) const {
    if (status != CUBLAS_STATUS_SUCCESS)
      fail(status == CUBLAS_STATUS_ALLOC_FAILED ? ExitCode::DoesNotFit
                                                : ExitCode::BadInput,
           call, ": ", cublasLtGetStatusNameFn(status));
  }
};

/// LLAMAC_LT(lib, cublasLtCreate, &handle): calls and checks.
#define LLAMAC_LT(lib, name, ...)                                              \
  (lib).check((lib).name##Fn(__VA_ARGS__), #name)

} // namespace llamarun
