#include "runtime/device/cpu/CpuWork.h"

#include "runtime/device/FillPattern.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstring>
#include <exception>
#include <utility>

namespace llamarun {
namespace {

bool overlap(const DeviceRange &x, const DeviceRange &y) {
  auto *a = static_cast<const char *>(x.pointer);
  auto *b = static_cast<const char *>(y.pointer);
  return a < b + y.bytes && b < a + x.bytes;
}

bool anyOverlap(const std::vector<DeviceRange> &xs,
                const std::vector<DeviceRange> &ys) {
  for (auto &x : xs)
    for (auto &y : ys)
      if (overlap(x, y))
        return true;
  return false;
}

class GemmWork final : public CpuWork {
public:
  GemmWork(const GemmCall &call, const Blas &blas)
      : call(call), blas(blas), tiles(tilesOf(call.m, call.n, call.k)) {
    chunks = tiles.count;
    // About 100 GFLOP/s a core.
    cost = 0.02 * static_cast<double>(call.m) * static_cast<double>(call.n) *
           static_cast<double>(call.k) / tiles.count;
    reads = {call.a, call.b};
    writes = {call.d};
  }

  void run(std::uint32_t chunk) const override {
    auto *a = static_cast<const float *>(call.a.pointer);
    auto *b = static_cast<const float *>(call.b.pointer);
    auto *d = static_cast<float *>(call.d.pointer);
    std::uint64_t m = call.m, n = call.n, begin = chunk * tiles.size;
    if (tiles.alongRows) {
      m = std::min(tiles.size, call.m - begin);
      a += call.transposeA ? begin : begin * call.lda;
      d += begin * call.ldd;
    } else {
      n = std::min(tiles.size, call.n - begin);
      b += call.transposeB ? begin * call.ldb : begin;
      d += begin;
    }
    auto i = [](std::uint64_t v) { return static_cast<int>(v); };
    blas.sgemm(call.transposeA, call.transposeB, i(m), i(n), i(call.k),
               call.alpha, a, i(call.lda), b, i(call.ldb), call.beta, d,
               i(call.ldd));
  }

private:
  GemmCall call;
  const Blas &blas;
  GemmTiles tiles;
};

class LaunchWork final : public CpuWork {
public:
  LaunchWork(const LaunchCall &call, unsigned threads)
      : scalars(call.scalars),
        kernel(reinterpret_cast<CpuKernel>(call.kernel)) {
    reads = call.reads;
    writes = call.writes;
    double bytes = 0;
    for (auto *list : {&reads, &writes})
      for (auto &range : *list) {
        buffers.push_back(range.pointer);
        bytes += static_cast<double>(range.bytes);
      }
    items = std::int64_t{1} * call.grid[0] * call.grid[1] * call.grid[2];
    std::int64_t grain = call.grain;
    std::int64_t grains = (items + grain - 1) / grain;
    // A few chunks a thread: enough to even out a thread that lost its core.
    std::int64_t wanted = threads == 1 ? 1 : 4 * std::int64_t{threads};
    std::int64_t perChunk =
        std::max<std::int64_t>(1, (grains + wanted - 1) / wanted);
    step = perChunk * grain;
    chunks = static_cast<std::uint32_t>((items + step - 1) / step);
    cost = 0.2 * bytes / chunks;
  }

  void run(std::uint32_t chunk) const override {
    std::int64_t begin = chunk * step;
    kernel(buffers.data(), scalars.data(), begin,
           std::min(items, begin + step));
  }

private:
  std::vector<void *> buffers;
  std::vector<std::int64_t> scalars;
  CpuKernel kernel;
  std::int64_t items = 0, step = 0;
};

constexpr std::uint64_t kCopyChunk = 256 * 1024;

class CopyWork final : public CpuWork {
public:
  CopyWork(DeviceRange target, DeviceRange source)
      : target(target), source(source) {
    reads = {source};
    writes = {target};
    chunks = static_cast<std::uint32_t>((source.bytes + kCopyChunk - 1) /
                                        kCopyChunk);
    cost = 0.2 * static_cast<double>(std::min(source.bytes, kCopyChunk));
  }
  void run(std::uint32_t chunk) const override {
    auto begin = chunk * kCopyChunk;
    std::memcpy(static_cast<char *>(target.pointer) + begin,
                static_cast<const char *>(source.pointer) + begin,
                std::min(kCopyChunk, source.bytes - begin));
  }

private:
  DeviceRange target, source;
};

class FillWork final : public CpuWork {
public:
  FillWork(DeviceRange target, const FillPattern &element) : target(target) {
    writes = {target};
    // Element sizes divide 8, and 8 divides a chunk.
    for (std::size_t i = 0; i < sizeof pattern; ++i)
      pattern[i] = element.bytes[i % element.size];
    chunks = static_cast<std::uint32_t>((target.bytes + kCopyChunk - 1) /
                                        kCopyChunk);
    cost = 0.1 * static_cast<double>(std::min(target.bytes, kCopyChunk));
  }
  void run(std::uint32_t chunk) const override {
    auto begin = chunk * kCopyChunk;
    auto *to = static_cast<char *>(target.pointer) + begin;
    auto bytes = std::min(kCopyChunk, target.bytes - begin);
    std::uint64_t done = 0;
    for (; done + sizeof pattern <= bytes; done += sizeof pattern)
      std::memcpy(to + done, pattern, sizeof pattern);
    std::memcpy(to + done, pattern, bytes - done);
  }

private:
  DeviceRange target;
  std::uint8_t pattern[8];
};

class HostWork final : public CpuWork {
public:
  HostWork(std::vector<DeviceRange> read, std::vector<DeviceRange> written,
           std::function<void()> work)
      : work(std::move(work)) {
    reads = std::move(read);
    writes = std::move(written);
    onHost = true;
    cost = 1e12;
  }
  void run(std::uint32_t) const override {
    try {
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  }
  void check() const override {
    if (thrown)
      std::rethrow_exception(std::exchange(thrown, nullptr));
  }

private:
  std::function<void()> work;
  mutable std::exception_ptr thrown;
};

} // namespace

bool CpuWork::conflicts(const CpuWork &other) const {
  if (onHost && other.onHost)
    return true;
  return anyOverlap(writes, other.writes) || anyOverlap(writes, other.reads) ||
         anyOverlap(reads, other.writes);
}

GemmTiles tilesOf(std::uint64_t m, std::uint64_t n, std::uint64_t k) {
  GemmTiles tiles;
  tiles.alongRows = m >= n;
  std::uint64_t extent = std::max(m, n);
  // Every tile packs the other operand again, which costs about 1/size of its
  // arithmetic: 128 is within a few percent of one big GEMM (OpenBLAS, Zen 4),
  // large matrices afford larger tiles.
  std::uint64_t smallest = extent <= 1024 ? 128 : extent <= 4096 ? 256 : 512;
  double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) *
                 static_cast<double>(k);
  // A power of two, which shares out evenly; a tile takes at least 5 us.
  std::uint64_t count = 1;
  while (count < 64 && extent / (2 * count) >= smallest &&
         flops / static_cast<double>(2 * count) >= 5e5)
    count *= 2;
  tiles.size = ((extent + count - 1) / count + 15) / 16 * 16;
  tiles.count =
      static_cast<std::uint32_t>((extent + tiles.size - 1) / tiles.size);
  return tiles;
}

void checkCpuGemm(const GemmCall &call) {
  if (call.dtypeA != fb::DType::F32 || call.dtypeB != fb::DType::F32 ||
      call.dtypeD != fb::DType::F32)
    fail(ExitCode::BadInput, "the CPU device multiplies f32 matrices only");
  for (auto extent : {call.m, call.n, call.k, call.lda, call.ldb, call.ldd})
    if (extent == 0 || extent > INT_MAX)
      fail(ExitCode::BadInput, "GEMM extent of ", extent,
           " is outside the BLAS's 32-bit range");
}

std::unique_ptr<CpuWork> makeGemmWork(const GemmCall &call, const Blas &blas) {
  return std::make_unique<GemmWork>(call, blas);
}
std::unique_ptr<CpuWork> makeLaunchWork(const LaunchCall &call,
                                        unsigned threads) {
  return std::make_unique<LaunchWork>(call, threads);
}
std::unique_ptr<CpuWork> makeCopyWork(DeviceRange target, DeviceRange source) {
  return std::make_unique<CopyWork>(target, source);
}

std::unique_ptr<CpuWork> makeFillWork(DeviceRange target, fb::DType dtype,
                                      double value) {
  return std::make_unique<FillWork>(target, fillPattern(dtype, value));
}

std::unique_ptr<CpuWork> makeHostWork(std::vector<DeviceRange> reads,
                                      std::vector<DeviceRange> writes,
                                      std::function<void()> work) {
  return std::make_unique<HostWork>(std::move(reads), std::move(writes),
                                    std::move(work));
}

} // namespace llamarun
