//===- CudaBlas.h - GEMMs by cuBLASLt --------------------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/TuneCache.h"
#include "runtime/device/cuda/CudaContext.h"
#include "runtime/device/cuda/CudaProduct.h"
#include "runtime/device/cuda/CudaTuner.h"

#include <map>
#include <memory>
#include <optional>

namespace llamarun {

/// Row-major GEMMs by cublasLtMatmul: f32 or bf16 operands, products summed in
/// f32. The algorithm of a shape is found when it is first asked for: by the
/// library's heuristic, from the cache file, or by timing (DeviceOptions.tune),
/// and does not change after that, so equal calls give equal bits.
class CudaBlas {
public:
  /// Loads cuBLASLt into the current context.
  /// \param stream where algorithms are timed.
  /// \throws Error(BadInput) when there is no library.
  CudaBlas(const CudaContext &context, CUstream stream,
           const DeviceOptions &options);
  ~CudaBlas();
  CudaBlas(const CudaBlas &) = delete;
  CudaBlas &operator=(const CudaBlas &) = delete;

  /// Chooses the algorithm. Not during a capture; the device should be idle.
  /// \param scratch as gemm() will have; equal in size on every stream.
  void prepare(const GemmCall &call, DeviceRange scratch);
  /// After the last prepare() of a program: writes the cache, gives the
  /// tuner's memory back, tells what was done.
  void finishPreparation();

  /// Puts the product on `stream`; `scratch` is device memory that nothing else
  /// on another stream uses, may be empty.
  void gemm(CUstream stream, const GemmCall &call, DeviceRange scratch);

  /// As cublasLtGetVersion: 130100 is 13.1.
  std::size_t version() const;

private:
  struct Chosen {
    CudaProduct product;
    CudaAlgorithm algorithm;
  };
  Chosen &chosenFor(const GemmCall &call, DeviceRange scratch, bool mayTune);
  bool fromCache(const std::string &key, Chosen &chosen);
  bool byTiming(const std::string &key, const GemmCall &call,
                DeviceRange scratch, Chosen &chosen);
  void note(const std::string &text) const;

  const CudaContext &context;
  CUstream stream;
  const CudaBlasLibrary &lib;
  cublasLtHandle_t handle = nullptr;
  Tune tune;
  std::function<void(const std::string &)> onNote;
  std::optional<TuneCache> cache;
  std::unique_ptr<CudaTuner> tuner;
  double tuningSeconds = 0; ///< since the last finishPreparation()
  std::size_t tuned = 0;
  std::map<std::string, std::unique_ptr<Chosen>> products; ///< by their key
};

} // namespace llamarun
