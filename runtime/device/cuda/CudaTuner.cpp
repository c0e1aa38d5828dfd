#include "runtime/device/cuda/CudaTuner.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace llamarun {

// One product above this many microseconds is timed less often: it says more.
static constexpr double kLong = 1000;
// Copies beyond that do not make an operand any colder.
static constexpr std::uint64_t kMaxCopies = 16;
// An operand below this is small change, and hot in a real program.
static constexpr std::uint64_t kHot = 8 << 20;

CudaTuner::CudaTuner(const CudaContext &context, CUstream stream)
    : context(context), stream(stream) {
  auto &cuda = context.use();
  LLAMAC_CU(cuda, cuEventCreate, &begin, CU_EVENT_DEFAULT);
  LLAMAC_CU(cuda, cuEventCreate, &end, CU_EVENT_DEFAULT);
}

CudaTuner::~CudaTuner() {
  release();
  auto &cuda = context.useQuietly();
  for (auto event : {begin, end})
    if (event)
      cuda.cuEventDestroyFn(event);
}

void CudaTuner::release() noexcept {
  if (memory)
    context.useQuietly().cuMemFreeFn(memory);
  memory = 0;
  size = 0;
}

GemmCall CudaTuner::copyOf(const GemmCall &call, std::size_t i) const {
  auto at = [&](std::uint64_t offset) {
    return reinterpret_cast<void *>(memory + offset);
  };
  GemmCall copy = call;
  copy.a.pointer = at(atA[i % atA.size()]);
  copy.b.pointer = at(atB[i % atB.size()]);
  copy.d.pointer = at(atD);
  return copy;
}

/// Lays the copies out one after another, each with its operand's alignment.
void CudaTuner::place(const GemmCall &call) {
  std::uint64_t used = 0;
  auto put = [&](const DeviceRange &range) {
    // The start of a 256-byte line, or as far into it as the alignment says.
    auto alignment = gemmAlignment(range);
    auto offset = (used + 255) / 256 * 256 + (alignment < 256 ? alignment : 0);
    used = offset + range.bytes;
    return offset;
  };
  auto l2 = static_cast<std::uint64_t>(
      std::max(1, context.attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)));
  auto copies = [&](const DeviceRange &range, const DeviceRange &other) {
    if (range.bytes < other.bytes || range.bytes < kHot)
      return std::uint64_t{1};
    return std::clamp<std::uint64_t>((2 * l2 + range.bytes - 1) / range.bytes,
                                     1, kMaxCopies);
  };
  atA.clear();
  atB.clear();
  for (std::uint64_t i = copies(call.a, call.b); i; --i)
    atA.push_back(put(call.a));
  for (std::uint64_t i = copies(call.b, call.a); i; --i)
    atB.push_back(put(call.b));
  atD = put(call.d);
  if (used > size) {
    release();
    auto &cuda = context.use();
    LLAMAC_CU(cuda, cuMemAlloc, &memory, used);
    size = used;
  }
  fillRandom(call.dtypeA);
}

/// A piece of random numbers between 2^-7 and 2 in size, over and over. Anew
/// for each product: where one had its result, the next may have an operand.
void CudaTuner::fillRandom(fb::DType dtype) {
  auto &piece = dtype == fb::DType::BF16 ? randomBf16 : randomF32;
  if (piece.empty()) {
    piece.resize(1 << 20);
    std::mt19937 random(1);
    // Sign, exponent 120 to 127, mantissa: as f32, and in each half as bf16.
    for (auto &word : piece) {
      auto bits = static_cast<std::uint32_t>(random());
      word = dtype == fb::DType::BF16 ? (bits & 0x83ff83ffu) | 0x3c003c00u
                                      : (bits & 0x83ffffffu) | 0x3c000000u;
    }
  }
  auto &cuda = context.use();
  std::uint64_t done = std::min<std::uint64_t>(size, piece.size() * 4);
  LLAMAC_CU(cuda, cuMemcpyHtoDAsync, memory, piece.data(), done, stream);
  while (done < size) {
    auto bytes = std::min(done, size - done);
    LLAMAC_CU(cuda, cuMemcpyDtoDAsync, memory + done, memory, bytes, stream);
    done += bytes;
  }
}

double CudaTuner::time(const CudaProduct &product, const GemmCall &call,
                       const CudaAlgorithm &algorithm, DeviceRange scratch,
                       unsigned repeats) {
  auto &cuda = context.use();
  constexpr double never = std::numeric_limits<double>::infinity();
  CUgraph graph = nullptr;
  LLAMAC_CU(cuda, cuStreamBeginCapture, stream, CU_STREAM_CAPTURE_MODE_RELAXED);
  bool good = true;
  for (unsigned i = 0; good && i < repeats; ++i)
    good = product.enqueue(stream, copyOf(call, i), algorithm,
                           scratch.pointer) == CUBLAS_STATUS_SUCCESS;
  if (cuda.cuStreamEndCaptureFn(stream, &graph) != CUDA_SUCCESS || !graph)
    return never;
  CUgraphExec executable = nullptr;
  if (!good || cuda.cuGraphInstantiateWithFlagsFn(&executable, graph, 0) !=
                   CUDA_SUCCESS) {
    cuda.cuGraphDestroyFn(graph);
    return never;
  }
  cuda.cuGraphDestroyFn(graph);
  // The first run covers the launch of the second.
  float milliseconds = 0;
  for (auto event : {begin, end}) {
    LLAMAC_CU(cuda, cuGraphLaunch, executable, stream);
    LLAMAC_CU(cuda, cuEventRecord, event, stream);
  }
  LLAMAC_CU(cuda, cuEventSynchronize, end);
  LLAMAC_CU(cuda, cuEventElapsedTime, &milliseconds, begin, end);
  cuda.cuGraphExecDestroyFn(executable);
  return 1e3 * static_cast<double>(milliseconds) / repeats;
}

bool CudaTuner::repeatsItself(const CudaProduct &product, const GemmCall &call,
                              const CudaAlgorithm &algorithm,
                              DeviceRange scratch) {
  auto &cuda = context.use();
  GemmCall copy = copyOf(call, 0);
  copy.beta = 0; // the layouts are the same, and D is then no input
  auto bytes = std::min<std::uint64_t>(call.d.bytes, 16 << 20);
  std::vector<std::byte> results[2];
  for (auto &result : results) {
    result.resize(bytes);
    if (product.enqueue(stream, copy, algorithm, scratch.pointer) !=
        CUBLAS_STATUS_SUCCESS)
      return false;
    LLAMAC_CU(cuda, cuMemcpyDtoHAsync, result.data(), addressOf(copy.d.pointer),
              bytes, stream);
    LLAMAC_CU(cuda, cuStreamSynchronize, stream);
  }
  return std::memcmp(results[0].data(), results[1].data(), bytes) == 0;
}

CudaTuner::Result CudaTuner::tune(const CudaProduct &product,
                                  const GemmCall &call, DeviceRange scratch,
                                  bool thorough) {
  place(call);
  struct Timed {
    CudaAlgorithm algorithm;
    double microseconds;
  };
  std::vector<Timed> timed;
  // At the rate of a good product, to know how many candidates are affordable.
  double guess = 2e-6 * static_cast<double>(call.m) *
                 static_cast<double>(call.n) * static_cast<double>(call.k) /
                 (call.dtypeA == fb::DType::BF16 ? 600 : 40);
  int wanted = !thorough ? 6 : guess > kLong ? 16 : guess > kLong / 4 ? 32 : 64;
  auto repeats = [&](double microseconds, double span) {
    return static_cast<unsigned>(
        std::clamp(span / std::max(microseconds, 1.0), 1.0, 16.0));
  };
  auto add = [&](const CudaAlgorithm &algorithm) {
    timed.push_back({algorithm, time(product, call, algorithm, scratch,
                                     repeats(std::max(guess, 10.0), 150))});
  };
  auto byTime = [](const Timed &x, const Timed &y) {
    return x.microseconds < y.microseconds;
  };
  for (auto &algorithm : product.heuristics(wanted))
    add(algorithm);
  std::stable_sort(timed.begin(), timed.end(), byTime);
  if (thorough && guess < kLong / 4) {
    std::vector<CudaAlgorithm> best;
    for (std::size_t i = 0; i < timed.size() && i < 3; ++i)
      best.push_back(timed[i].algorithm);
    for (auto &algorithm : best)
      for (auto &other : product.splits(algorithm))
        add(other);
    std::stable_sort(timed.begin(), timed.end(), byTime);
  }
  auto tried = static_cast<unsigned>(timed.size());
  // The best few again, longer and in turns; the median of each.
  timed.resize(std::min<std::size_t>(timed.size(), thorough ? 5 : 2));
  constexpr int kRounds = 3;
  std::vector<std::vector<double>> again(timed.size());
  for (int round = 0; round < kRounds; ++round)
    for (std::size_t i = 0; i < timed.size(); ++i)
      again[i].push_back(time(product, call, timed[i].algorithm, scratch,
                              repeats(timed[i].microseconds, 1200)));
  for (std::size_t i = 0; i < timed.size(); ++i) {
    std::sort(again[i].begin(), again[i].end());
    timed[i].microseconds = again[i][kRounds / 2];
  }
  std::stable_sort(timed.begin(), timed.end(), byTime);
  for (auto &candidate : timed)
    if (std::isfinite(candidate.microseconds) &&
        repeatsItself(product, call, candidate.algorithm, scratch))
      return {candidate.algorithm, candidate.microseconds, tried};
  fail(ExitCode::BadInput, "no algorithm of ", tried, " for m ", call.m, ", n ",
       call.n, ", k ", call.k, " runs and repeats its bits");
}

} // namespace llamarun
