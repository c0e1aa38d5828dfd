// What a device does at best: one large copy, one large product.
#include "runtime/support/Error.h"
#include "runtime/train/Bench.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace llamarun {
namespace {

/// Memory of a device beyond a plan's.
struct Memory {
  Device &device;
  DeviceRange range;
  Memory(Device &device, std::uint64_t bytes)
      : device(device), range{device.allocate(bytes, device.alignment(),
                                              fb::Category::Workspace),
                              bytes} {}
  ~Memory() { device.free(range.pointer); }
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;
};

/// Median seconds of `work`, put in one after another.
double timeOf(Device &device, const std::function<void()> &work) {
  constexpr int kRuns = 12;
  std::vector<std::unique_ptr<Mark>> marks;
  for (int i = 0; i <= kRuns; ++i)
    marks.push_back(device.makeMark());
  for (int i = 0; i < 3; ++i)
    work();
  device.record(*marks[0], 0);
  for (std::size_t i = 1; i < marks.size(); ++i) {
    work();
    device.record(*marks[i], 0);
  }
  device.synchronize();
  std::vector<double> times;
  for (std::size_t i = 1; i < marks.size(); ++i)
    times.push_back(device.secondsBetween(*marks[i - 1], *marks[i]));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// Numbers between 1/128 and 2, of both signs: a piece of them, over and over.
void fillRandom(Device &device, DeviceRange range, bool bf16) {
  std::vector<std::uint32_t> piece(1 << 18);
  std::uint64_t state = 1;
  for (auto &word : piece) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    auto bits = static_cast<std::uint32_t>(state >> 32);
    word = bf16 ? (bits & 0x83ff83ffu) | 0x3c003c00u
                : (bits & 0x83ffffffu) | 0x3c000000u;
  }
  for (std::uint64_t at = 0; at < range.bytes; at += piece.size() * 4)
    device.copyToDevice(
        static_cast<char *>(range.pointer) + at, piece.data(),
        std::min<std::uint64_t>(piece.size() * 4, range.bytes - at));
}

} // namespace

Ceilings measureCeilings(Device &device) {
  bool gpu = device.isAsynchronous();
  Ceilings ceilings;
  {
    std::uint64_t bytes = std::uint64_t{gpu ? 1024u : 128u} << 20;
    Memory from(device, bytes), to(device, bytes);
    fillRandom(device, from.range, false);
    ceilings.bytesPerSecond =
        2 * static_cast<double>(bytes) /
        timeOf(device, [&] { device.copy(0, to.range, from.range); });
  }
  std::uint64_t n = gpu ? 8192 : 1024;
  std::uint64_t element = gpu ? 2 : 4;
  Memory a(device, n * n * element), b(device, n * n * element),
      d(device, n * n * element);
  fillRandom(device, a.range, gpu);
  fillRandom(device, b.range, gpu);
  GemmCall call;
  call.a = a.range;
  call.b = b.range;
  call.d = d.range;
  call.dtypeA = call.dtypeB = call.dtypeD =
      gpu ? fb::DType::BF16 : fb::DType::F32;
  call.transposeB = true;
  call.m = call.n = call.k = call.lda = call.ldb = call.ldd = n;
  device.prepareGemm(call);
  device.finishPreparation();
  auto extent = static_cast<double>(n);
  ceilings.flopsPerSecond = 2 * extent * extent * extent /
                            timeOf(device, [&] { device.gemm(0, call); });
  return ceilings;
}

} // namespace llamarun
