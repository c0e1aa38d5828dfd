//===- CudaBlas.h - cuBLASLt found at run time -----------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"

#include <cublasLt.h>
#include <cuda.h>

#include <map>
#include <memory>
#include <tuple>

namespace llamarun {

struct CudaBlasLibrary;

/// Row-major GEMMs by cublasLtMatmul: f32 or bf16 operands, products summed in
/// f32 (CUBLAS_COMPUTE_32F: no TF32, no emulation). The heuristic's first
/// algorithm is taken; it depends on shapes, types and the scratch alone, so
/// equal calls give equal bits.
class CudaBlas {
public:
  /// Loads libcublasLt.so.13, .so.12 or .so into the current context.
  /// \throws Error(BadInput) when there is none.
  CudaBlas();
  ~CudaBlas();
  CudaBlas(const CudaBlas &) = delete;
  CudaBlas &operator=(const CudaBlas &) = delete;

  /// \throws Error(BadInput) for types and extents cuBLASLt does not take.
  void check(const GemmCall &call) const;

  /// Puts the product on `stream`; `scratch` is device memory that nothing else
  /// on another stream uses, may be empty.
  void gemm(CUstream stream, const GemmCall &call, DeviceRange scratch);

  /// As cublasLtGetVersion: 130100 is 13.1.
  std::size_t version() const;

private:
  struct Product;
  /// What a Product depends on besides addresses.
  using Key =
      std::tuple<fb::DType, fb::DType, fb::DType, bool, bool, std::uint64_t,
                 std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                 std::uint64_t, bool, std::uint64_t, std::uint64_t>;

  const CudaBlasLibrary &lib;
  cublasLtHandle_t handle = nullptr;
  std::map<Key, std::unique_ptr<Product>> products;

  Product &productOf(const GemmCall &call, DeviceRange scratch);
};

} // namespace llamarun
