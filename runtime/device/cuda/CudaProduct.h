//===- CudaProduct.h - One shape of GEMM for cuBLASLt ----------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaBlasLibrary.h"

#include <cuda.h>

#include <cstdint>
#include <string>
#include <vector>

namespace llamarun {

/// An algorithm of cuBLASLt for one product, with the scratch it needs.
struct CudaAlgorithm {
  cublasLtMatmulAlgo_t algorithm{};
  std::uint64_t workspace = 0; ///< bytes
};

/// Descriptors of a GEMM: everything but addresses, stream and algorithm.
/// cuBLASLt is column-major: a row-major matrix is its transpose there, and
/// D^T = op(B)^T op(A)^T, so B goes first. That is also the better way round
/// for few tokens: they become columns, and the large side of the weight rows.
///
/// Products are summed in f32 (CUBLAS_COMPUTE_32F: no TF32, no emulation).
/// Algorithms that reduce split sums in place, in the order in which blocks
/// finish and in D's own type, are never offered: equal calls of one algorithm
/// must give equal bits, and bf16 sums would be rounded between splits.
class CudaProduct {
public:
  /// \throws Error(BadInput) for types and extents cuBLASLt does not take.
  static void check(const GemmCall &call);
  /// What an algorithm may depend on, as text: types, orientation, extents,
  /// leading dimensions, alignment of the addresses, bytes of scratch.
  static std::string keyOf(const GemmCall &call, std::uint64_t scratch);

  CudaProduct(const CudaBlasLibrary &lib, cublasLtHandle_t handle,
              const GemmCall &call, std::uint64_t scratch);
  ~CudaProduct();
  CudaProduct(const CudaProduct &) = delete;
  CudaProduct &operator=(const CudaProduct &) = delete;

  /// At most `count` algorithms, the likeliest first.
  /// \throws Error(BadInput) if there is none.
  std::vector<CudaAlgorithm> heuristics(int count) const;
  /// `algorithm` cut into other numbers of partial sums over k, where it can
  /// be.
  std::vector<CudaAlgorithm> splits(const CudaAlgorithm &algorithm) const;
  /// Whether the algorithm (of a file, say) is one for this product: fills in
  /// its workspace.
  bool accepts(CudaAlgorithm &algorithm) const;
  /// The same if the library's heuristics offer it, bit by bit: its own check
  /// refuses some that they offer (12 of 34 products of a long plan).
  bool offers(CudaAlgorithm &algorithm) const;

  /// Puts the product on the stream. `scratch` is device memory of at least
  /// algorithm.workspace bytes.
  cublasStatus_t enqueue(CUstream stream, const GemmCall &call,
                         const CudaAlgorithm &algorithm, void *scratch) const;

private:
  const CudaBlasLibrary &lib;
  cublasLtHandle_t handle;
  GemmCall shape; ///< of the first call: its addresses say the alignment
  std::uint64_t scratchBytes;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;
};

/// The alignment that algorithms may count on: a power of two up to 256.
std::uint32_t gemmAlignment(const DeviceRange &range);

} // namespace llamarun
