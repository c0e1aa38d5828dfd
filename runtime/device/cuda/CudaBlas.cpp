#include "runtime/device/cuda/CudaBlas.h"

#include <chrono>
#include <cstdio>
#include <cstring>

namespace llamarun {

// Shapes of one program beyond this get the first few candidates only.
static constexpr double kThoroughSeconds = 3;

static_assert(sizeof(cublasLtMatmulAlgo_t) ==
              sizeof(TunedAlgorithm{}.bits)); // 64 bytes, to be stored

CudaBlas::CudaBlas(const CudaContext &context, CUstream stream,
                   const DeviceOptions &options)
    : context(context), stream(stream), lib(CudaBlasLibrary::get()),
      tune(options.tune), onNote(options.note) {
  LLAMAC_LT(lib, cublasLtCreate, &handle);
  if (tune == Tune::Off)
    return;
  auto processors = context.attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  cache.emplace(options.tuneFile,
                context.name() + ", " + std::to_string(processors) + " SMs",
                "cuBLASLt " + std::to_string(version()));
  if (tune == Tune::Load)
    note(cache->load());
}

CudaBlas::~CudaBlas() {
  products.clear();
  tuner.reset();
  if (handle)
    lib.cublasLtDestroyFn(handle);
}

std::size_t CudaBlas::version() const { return lib.cublasLtGetVersionFn(); }

void CudaBlas::note(const std::string &text) const {
  if (onNote && !text.empty())
    onNote(text);
}

bool CudaBlas::fromCache(const std::string &key, Chosen &chosen) {
  auto known = cache->find(key);
  if (!known)
    return false;
  CudaAlgorithm algorithm;
  std::memcpy(&algorithm.algorithm, known->bits.data(), sizeof known->bits);
  if (!chosen.product.accepts(algorithm) && !chosen.product.offers(algorithm)) {
    note("tuned algorithm of GEMM " + key + " does not suit it; tuning anew");
    cache->erase(key);
    return false;
  }
  chosen.algorithm = algorithm;
  return true;
}

bool CudaBlas::byTiming(const std::string &key, const GemmCall &call,
                        DeviceRange scratch, Chosen &chosen) {
  using Clock = std::chrono::steady_clock;
  auto start = Clock::now();
  if (!tuner)
    tuner = std::make_unique<CudaTuner>(context, stream);
  CudaTuner::Result best;
  try {
    best = tuner->tune(chosen.product, call, scratch,
                       tuningSeconds < kThoroughSeconds);
  } catch (const Error &error) {
    if (error.code() != ExitCode::DoesNotFit)
      throw;
    note("no memory to tune GEMM " + key + "; taking the heuristic's choice");
    return false;
  }
  chosen.algorithm = best.algorithm;
  TunedAlgorithm entry;
  std::memcpy(entry.bits.data(), &best.algorithm.algorithm, sizeof entry.bits);
  entry.microseconds = best.microseconds;
  cache->put(key, entry);
  ++tuned;
  tuningSeconds += std::chrono::duration<double>(Clock::now() - start).count();
  return true;
}

CudaBlas::Chosen &CudaBlas::chosenFor(const GemmCall &call, DeviceRange scratch,
                                      bool mayTune) {
  auto key = CudaProduct::keyOf(call, scratch.bytes);
  auto &slot = products[key];
  if (slot)
    return *slot;
  auto chosen = std::unique_ptr<Chosen>(
      new Chosen{CudaProduct(lib, handle, call, scratch.bytes), {}});
  bool found =
      mayTune && cache &&
      (fromCache(key, *chosen) || byTiming(key, call, scratch, *chosen));
  if (!found)
    chosen->algorithm = chosen->product.heuristics(1).front();
  slot = std::move(chosen);
  return *slot;
}

void CudaBlas::prepare(const GemmCall &call, DeviceRange scratch) {
  chosenFor(call, scratch, true);
}

void CudaBlas::finishPreparation() {
  tuner.reset();
  if (cache)
    note(cache->save());
  if (tuned) {
    char text[80];
    std::snprintf(text, sizeof text, "tuned %zu GEMM shapes in %.1f s", tuned,
                  tuningSeconds);
    note(text);
  }
  tuned = 0;
  tuningSeconds = 0;
}

void CudaBlas::gemm(CUstream on, const GemmCall &call, DeviceRange scratch) {
  auto &chosen = chosenFor(call, scratch, false);
  lib.check(chosen.product.enqueue(on, call, chosen.algorithm, scratch.pointer),
            "cublasLtMatmul");
}

} // namespace llamarun
