//===- CudaTuner.h - The fastest algorithm by timing -----------*- C++ -*-===//
#pragma once

#include "runtime/device/cuda/CudaContext.h"
#include "runtime/device/cuda/CudaProduct.h"

#include <cstdint>
#include <vector>

namespace llamarun {

/// Times algorithms of a product on copies of its operands: no buffer of a plan
/// is read or written. The copies hold random numbers (products of zeros run
/// faster), have the operands' alignment, and there are as many of the largest
/// operand as make it come from memory rather than from the L2 cache, as a
/// model's weights do. What is timed is a graph of several products in a row,
/// as a captured program is one.
class CudaTuner {
public:
  /// \param stream only this one's work is timed; nothing else may run.
  CudaTuner(const CudaContext &context, CUstream stream);
  ~CudaTuner();
  CudaTuner(const CudaTuner &) = delete;
  CudaTuner &operator=(const CudaTuner &) = delete;

  struct Result {
    CudaAlgorithm algorithm;
    double microseconds = 0; ///< of one product
    unsigned tried = 0;
  };

  /// The fastest algorithm that gives the same bits twice.
  /// \param thorough false: the first few candidates only (time is short).
  /// \throws Error(DoesNotFit) when there is no memory for the copies.
  Result tune(const CudaProduct &product, const GemmCall &call,
              DeviceRange scratch, bool thorough);

  /// Gives the memory of the copies back.
  void release() noexcept;

private:
  /// The call on the i-th copy of its operands.
  GemmCall copyOf(const GemmCall &call, std::size_t i) const;
  void place(const GemmCall &call);
  void fillRandom(fb::DType dtype);
  /// Microseconds of one product, or infinity if the algorithm does not run.
  double time(const CudaProduct &product, const GemmCall &call,
              const CudaAlgorithm &algorithm, DeviceRange scratch,
              unsigned repeats);
  bool repeatsItself(const CudaProduct &product, const GemmCall &call,
                     const CudaAlgorithm &algorithm, DeviceRange scratch);

  const CudaContext &context;
  CUstream stream;
  CUevent begin = nullptr, end = nullptr;
  CUdeviceptr memory = 0;
  std::uint64_t size = 0;
  std::vector<std::uint32_t> randomBf16, randomF32;
  // Addresses in `memory` of this call's copies.
  std::vector<std::uint64_t> atA, atB;
  std::uint64_t atD = 0;
};

} // namespace llamarun
