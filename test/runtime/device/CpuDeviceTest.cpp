#include "runtime/device/Device.h"

#include "runtime/support/Error.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

using namespace llamarun;

namespace {

constexpr auto kInputs = fb::Category::Inputs;

TEST(CpuDevice, UnknownKind) {
  try {
    createDevice("tpu");
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::Usage);
    EXPECT_NE(std::string(error.what()).find("cpu"), std::string::npos);
  }
}

TEST(CpuDevice, MemoryIsZeroAlignedAndCounted) {
  auto device = createDevice("cpu", {.threads = 1});
  for (std::uint64_t alignment : {64u, 4096u, 65536u}) {
    auto *p = static_cast<char *>(device->allocate(10000, alignment, kInputs));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % alignment, 0u);
    for (int i = 0; i < 10000; ++i)
      ASSERT_EQ(p[i], 0);
    std::memset(p, 1, 10000);
    EXPECT_EQ(device->allocatedBytes(kInputs), 10000u);
    EXPECT_EQ(device->allocatedBytes(fb::Category::Weights), 0u);
    device->free(p);
    EXPECT_EQ(device->allocatedBytes(kInputs), 0u);
  }
  EXPECT_GT(device->memoryInfo().freeBytes, 0u);
  try {
    device->allocate(1ull << 60, 64, kInputs);
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::DoesNotFit);
  }
}

template <typename T>
std::vector<T> filled(fb::DType dtype, double value, std::size_t count = 5) {
  auto device = createDevice("cpu", {.threads = 2});
  std::vector<T> result(count);
  auto bytes = count * sizeof(T);
  void *p = device->allocate(bytes + sizeof(T), 64, kInputs);
  device->fill(0, {p, bytes}, dtype, value);
  device->synchronize();
  device->copyFromDevice(result.data(), p, bytes);
  T after{};
  device->copyFromDevice(&after, static_cast<char *>(p) + bytes, sizeof(T));
  EXPECT_EQ(after, T{});
  return result;
}

TEST(CpuDevice, Fill) {
  using std::vector;
  EXPECT_EQ(filled<float>(fb::DType::F32, 0.1), vector<float>(5, 0.1f));
  EXPECT_EQ(filled<double>(fb::DType::F64, 0.1), vector<double>(5, 0.1));
  EXPECT_EQ(filled<std::int32_t>(fb::DType::I32, -7),
            vector<std::int32_t>(5, -7));
  EXPECT_EQ(filled<std::int64_t>(fb::DType::I64, 1e15),
            vector<std::int64_t>(5, 1000000000000000));
  EXPECT_EQ(filled<std::uint8_t>(fb::DType::U8, 255),
            vector<std::uint8_t>(5, 255));
  // Longer than one chunk of work, and no multiple of one.
  EXPECT_EQ(filled<float>(fb::DType::F32, 3, 300001),
            vector<float>(300001, 3.0f));
}

// Bit patterns from the formats' definitions.
TEST(CpuDevice, FillOfHalfTypes) {
  auto bf16 = [](double v) {
    return filled<std::uint16_t>(fb::DType::BF16, v)[4];
  };
  auto f16 = [](double v) {
    return filled<std::uint16_t>(fb::DType::F16, v)[4];
  };
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(bf16(1), 0x3f80);
  EXPECT_EQ(bf16(-inf), 0xff80);
  EXPECT_EQ(bf16(1.00390625), 0x3f80); // tie, to even
  EXPECT_EQ(bf16(1.01171875), 0x3f82); // tie, to even
  EXPECT_EQ(f16(1), 0x3c00);
  EXPECT_EQ(f16(-2), 0xc000);
  EXPECT_EQ(f16(65504), 0x7bff);
  EXPECT_EQ(f16(65519.9), 0x7bff);
  EXPECT_EQ(f16(65520), 0x7c00);
  EXPECT_EQ(f16(-inf), 0xfc00);
  EXPECT_EQ(f16(1.0 + 1.0 / 2048), 0x3c00);   // tie, to even
  EXPECT_EQ(f16(std::ldexp(1, -24)), 0x0001); // smallest subnormal
  EXPECT_EQ(f16(std::ldexp(1, -14)), 0x0400); // smallest normal
  EXPECT_EQ(f16(0.1), 0x2e66);
}

// A random program over one piece of memory, with overlapping reads and writes
// at every distance: replayed as a graph it must do what it does in order.
TEST(CpuDevice, GraphKeepsEveryDependence) {
  std::mt19937 random(3);
  constexpr std::uint64_t kSize = 4096;
  for (int round = 0; round < 30; ++round) {
    auto device = createDevice("cpu", {.threads = 1u + round % 4});
    auto *memory = static_cast<char *>(device->allocate(kSize, 64, kInputs));
    std::vector<std::uint8_t> expected(kSize);
    device->beginCapture(2);
    // Longer than the scheduler's window in some rounds.
    for (int step = 0, n = round % 3 ? 100 : 700; step < n; ++step) {
      std::uint64_t bytes = 1 + random() % 96;
      std::uint64_t to = random() % (kSize - bytes);
      std::uint64_t from = random() % (kSize - bytes);
      bool disjoint = to + bytes <= from || from + bytes <= to;
      if (random() % 2 && disjoint) {
        device->copy(step % 2, {memory + to, bytes}, {memory + from, bytes});
        std::memmove(&expected[to], &expected[from], bytes);
      } else {
        auto value = static_cast<std::uint8_t>(random());
        device->fill(step % 2, {memory + to, bytes}, fb::DType::U8, value);
        std::memset(&expected[to], value, bytes);
      }
    }
    auto graph = device->endCapture();
    std::vector<std::uint8_t> got(kSize);
    device->copyFromDevice(got.data(), memory, kSize);
    EXPECT_EQ(got, std::vector<std::uint8_t>(kSize)) << "capture ran something";
    device->run(*graph);
    device->synchronize();
    device->copyFromDevice(got.data(), memory, kSize);
    ASSERT_EQ(got, expected) << "round " << round;
  }
}

TEST(CpuDevice, RefusesBadCode) {
  auto device = createDevice("cpu", {.threads = 1});
  auto load = [&](fb::CodeFormat format, const char *arch,
                  const std::string &bytes) -> std::string {
    try {
      device->loadCode(format, arch, std::as_bytes(std::span(bytes)));
    } catch (const Error &error) {
      EXPECT_EQ(error.code(), ExitCode::BadInput);
      return error.what();
    }
    return "accepted";
  };
  auto elf = fb::CodeFormat::ElfSharedObject;
  EXPECT_NE(load(fb::CodeFormat::Cubin, "sm_90", "x").find("ELF"),
            std::string::npos);
  EXPECT_NE(load(elf, "sparc", "x").find("unknown architecture 'sparc'"),
            std::string::npos);
  EXPECT_NE(load(elf, "x86-64-v5", "x").find("unknown architecture"),
            std::string::npos);
  EXPECT_NE(load(elf, "x86-64", "").find("too small"), std::string::npos);
  EXPECT_NE(load(elf, "x86-64", std::string(100, 'x')).find("no 64-bit ELF"),
            std::string::npos);
  std::string header("\x7f"
                     "ELF\2\1\1",
                     7);
  header.resize(16);
  header += '\3'; // ET_DYN, then nothing
  header.resize(4096);
  EXPECT_NE(load(elf, "x86-64", header).find("cannot load"), std::string::npos);
}

// Functions of the host keep their order whatever memory they touch; other work
// waits for what conflicts with them only.
TEST(CpuDevice, HostWorkInGraphs) {
  auto device = createDevice("cpu", {.threads = 3});
  std::vector<float> a(1000, 1), b(1000), c(1000, 5), d(1000);
  auto range = [](std::vector<float> &v) {
    return DeviceRange{v.data(), v.size() * sizeof(float)};
  };
  std::vector<int> order;
  device->beginCapture(2);
  device->hostWork(1, {}, {range(c)}, [&] { order.push_back(1); });
  device->hostWork(0, {range(a)}, {range(a)}, [&] {
    order.push_back(2);
    a[999] = 7;
  });
  device->copy(0, range(b), range(a)); // after the second
  device->hostWork(1, {}, {range(d)}, [&] { order.push_back(3); });
  auto graph = device->endCapture();
  EXPECT_TRUE(order.empty());
  for (int i = 0; i < 100; ++i) {
    a[999] = b[999] = 0;
    device->run(*graph);
    ASSERT_EQ(b[999], 7);
  }
  ASSERT_EQ(order.size(), 300u);
  for (std::size_t i = 0; i < 300; ++i)
    ASSERT_EQ(order[i], static_cast<int>(i % 3) + 1);
}

TEST(CpuDevice, HostWorkThatThrowsEndsTheRun) {
  auto device = createDevice("cpu", {.threads = 2});
  float x = 1, y = 2;
  bool fails = true;
  device->beginCapture(1);
  device->hostWork(0, {}, {{&x, 4}}, [&] {
    if (fails)
      throw Error(ExitCode::PeerLost, "lost");
  });
  device->copy(0, {&y, 4}, {&x, 4});
  auto graph = device->endCapture();
  try {
    device->run(*graph);
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "lost");
  }
  EXPECT_EQ(y, 2); // what comes after is dropped
  fails = false;   // and nothing of it is left
  device->run(*graph);
  EXPECT_EQ(y, 1);
  EXPECT_THROW(device->hostWork(0, {}, {{&x, 4}},
                                [] { throw Error(ExitCode::PeerLost, ""); }),
               Error);
}

} // namespace
