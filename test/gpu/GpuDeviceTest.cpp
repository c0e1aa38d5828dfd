// What Device.h promises, on a GPU: GEMMs of every orientation, fills of every
// type, streams and events of a capture, refusals.
#include "runtime/device/Device.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <thread>
#include <vector>

namespace llamarun {
namespace {

class GpuDevice : public testing::Test {
protected:
  void SetUp() override {
    try {
      device = createDevice("cuda");
    } catch (const Error &error) {
      GTEST_SKIP() << "no GPU here: " << error.what();
    }
  }
  DeviceRange make(std::uint64_t bytes) {
    return {device->allocate(bytes, 256, fb::Category::Activations), bytes};
  }
  std::unique_ptr<Device> device;
};

float toFloat(std::uint16_t bf16) {
  return std::bit_cast<float>(std::uint32_t(bf16) << 16);
}

/// A matrix of small random numbers that f32 and bf16 both hold exactly.
struct Matrix {
  std::vector<float> values;
  std::vector<std::byte> bytes;
  Matrix(std::size_t count, fb::DType dtype, std::mt19937 &random) {
    std::uniform_int_distribution<int> uniform(-127, 127);
    for (std::size_t i = 0; i < count; ++i) {
      float value = uniform(random) / 64.0f;
      auto bits = std::bit_cast<std::uint32_t>(value);
      values.push_back(value);
      auto *from = reinterpret_cast<std::byte *>(&bits);
      if (dtype == fb::DType::BF16)
        from += 2;
      bytes.insert(bytes.end(), from,
                   from + (dtype == fb::DType::BF16 ? 2 : 4));
    }
  }
};

TEST_F(GpuDevice, MultipliesInEveryOrientation) {
  using enum fb::DType;
  struct Types {
    fb::DType in, out;
  };
  std::mt19937 random(7);
  constexpr std::uint64_t m = 33, n = 72, k = 129;
  for (auto [in, out] : {Types{F32, F32}, Types{BF16, F32}, Types{BF16, BF16}})
    for (int orientation = 0; orientation < 8; ++orientation) {
      GemmCall call;
      call.transposeA = orientation & 1;
      call.transposeB = orientation & 2;
      call.beta = orientation & 4 ? 0.5f : 0.0f;
      call.alpha = 2;
      call.dtypeA = call.dtypeB = in;
      call.dtypeD = out;
      call.m = m, call.n = n, call.k = k;
      // Leading dimensions beyond the matrix; multiples of 8 as bf16 likes.
      call.lda = call.transposeA ? 40 : 136;
      call.ldb = call.transposeB ? 136 : 80;
      call.ldd = 88;
      Matrix a((call.transposeA ? k : m) * call.lda, in, random);
      Matrix b((call.transposeB ? n : k) * call.ldb, in, random);
      Matrix d(m * call.ldd, out, random);
      call.a = make(a.bytes.size());
      call.b = make(b.bytes.size());
      call.d = make(d.bytes.size());
      device->copyToDevice(call.a.pointer, a.bytes.data(), a.bytes.size());
      device->copyToDevice(call.b.pointer, b.bytes.data(), b.bytes.size());
      device->copyToDevice(call.d.pointer, d.bytes.data(), d.bytes.size());
      device->prepareGemm(call);
      device->gemm(0, call);
      std::vector<std::byte> got(d.bytes.size());
      device->copyFromDevice(got.data(), call.d.pointer, got.size());
      for (std::uint64_t i = 0; i < m; ++i)
        for (std::uint64_t j = 0; j < call.ldd; ++j) {
          auto at = i * call.ldd + j;
          float value = 0;
          if (out == BF16) {
            std::uint16_t bits;
            std::memcpy(&bits, &got[at * 2], 2);
            value = toFloat(bits);
          } else {
            std::memcpy(&value, &got[at * 4], 4);
          }
          double expected = d.values[at]; // between rows: untouched
          double size = 1;
          if (j < n) {
            expected *= call.beta;
            for (std::uint64_t s = 0; s < k; ++s)
              expected += 2.0 *
                          a.values[call.transposeA ? s * call.lda + i
                                                   : i * call.lda + s] *
                          b.values[call.transposeB ? j * call.ldb + s
                                                   : s * call.ldb + j];
            size += std::abs(expected);
          }
          // Products and sums are exact in f32; bf16 results are rounded once.
          ASSERT_NEAR(value, expected, (out == BF16 ? 0x1p-8 : 1e-6) * size)
              << "orientation " << orientation << ", element " << i << ", "
              << j;
        }
      for (auto range : {call.a, call.b, call.d})
        device->free(range.pointer);
    }
  EXPECT_EQ(device->allocatedBytes(fb::Category::Activations), 0u);
}

TEST_F(GpuDevice, FillsEveryType) {
  using enum fb::DType;
  auto range = make(64);
  auto expect = [&](fb::DType dtype, auto element) {
    device->fill(0, range, dtype, 3);
    unsigned char got[64];
    device->copyFromDevice(got, range.pointer, sizeof got);
    for (std::size_t i = 0; i < sizeof got; i += sizeof element)
      ASSERT_EQ(0, std::memcmp(got + i, &element, sizeof element))
          << "type " << int(dtype) << ", byte " << i;
  };
  expect(F32, 3.0f);
  expect(F64, 3.0);
  expect(BF16, std::uint16_t(0x4040));
  expect(F16, std::uint16_t(0x4200));
  expect(I32, std::int32_t(3));
  expect(I64, std::int64_t(3));
  expect(U8, std::uint8_t(3));
}

TEST_F(GpuDevice, ReplaysStreamsThatWaitForEachOther) {
  auto x = make(1 << 20), y = make(1 << 20);
  device->beginCapture(3);
  device->fill(1, x, fb::DType::I32, 5);
  auto filled = device->recordEvent(1);
  device->waitEvent(2, filled);
  device->copy(2, y, x);
  auto graph = device->endCapture(); // stream 2 is joined without an event
  std::int32_t last = -1;
  auto *end = static_cast<char *>(y.pointer) + y.bytes - 4;
  device->copyFromDevice(&last, end, 4);
  EXPECT_EQ(last, 0) << "recorded, not run";
  for (int i = 0; i < 2; ++i) {
    device->fill(0, y, fb::DType::I32, 1);
    device->run(*graph);
    device->copyFromDevice(&last, end, 4);
    EXPECT_EQ(last, 5);
  }
}

TEST_F(GpuDevice, CopiesRowsThatLieApart) {
  auto range = make(10 * 100);
  std::vector<unsigned char> host(7 * 60), whole(1000), back(host.size());
  for (std::size_t i = 0; i < host.size(); ++i)
    host[i] = static_cast<unsigned char>(i % 251 + 1);
  device->fill(0, range, fb::DType::U8, 255);
  auto *at = static_cast<char *>(range.pointer) + 20;
  device->copyRowsToDevice(at, 100, host.data(), 60, 7);
  device->copyFromDevice(whole.data(), range.pointer, whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::size_t row = i / 100, column = i % 100;
    bool inside = row < 7 && column >= 20 && column < 80;
    ASSERT_EQ(whole[i], inside ? host[row * 60 + column - 20] : 255) << i;
  }
  device->copyRowsFromDevice(back.data(), at, 100, 60, 7);
  EXPECT_EQ(back, host);
}

TEST_F(GpuDevice, TransfersThatAreWorkAndMarks) {
  constexpr std::uint64_t bytes = 32 << 20;
  auto x = make(bytes), y = make(bytes);
  auto *in = static_cast<std::uint32_t *>(device->allocateStaging(bytes));
  auto *out = static_cast<std::uint32_t *>(device->allocateStaging(bytes));
  auto begin = device->makeMark(), end = device->makeMark();
  EXPECT_TRUE(device->isAsynchronous());
  device->wait(*end); // nothing marked: does not hang
  for (std::uint32_t i = 0; i < bytes / 4; ++i)
    in[i] = i * 2654435761u;
  device->record(*begin, 0);
  device->enqueueRowsToDevice(x.pointer, bytes, in, bytes, 1);
  device->copy(0, y, x);
  device->enqueueFromDevice(out, y.pointer, bytes);
  device->record(*end, 0);
  device->wait(*end);
  EXPECT_EQ(0, std::memcmp(in, out, bytes));
  EXPECT_GT(device->secondsBetween(*begin, *end), 2.0 * bytes / 200e9);
  device->freeStaging(in);
  device->freeStaging(out);
}

template <typename Action> std::string refusal(Action action) {
  try {
    action();
  } catch (const Error &error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST_F(GpuDevice, RefusesWhatIsNotItsOwn) {
  std::vector<std::byte> junk(1000, std::byte(0x5a));
  auto load = [&](fb::CodeFormat format, const char *arch) {
    return refusal([&] { device->loadCode(format, arch, junk); });
  };
  EXPECT_NE(
      load(fb::CodeFormat::ElfSharedObject, "x86-64-v3").find("cubin and"),
      std::string::npos);
  EXPECT_NE(load(fb::CodeFormat::Cubin, "sm_20").find("this GPU is"),
            std::string::npos);
  EXPECT_NE(load(fb::CodeFormat::Cubin, "gfx90a").find("unknown CUDA"),
            std::string::npos);
  EXPECT_NE(load(fb::CodeFormat::Ptx, "sm_50").find("cuModuleLoadDataEx"),
            std::string::npos);
  auto memory = refusal([&] {
    device->allocate(std::uint64_t(1) << 60, 256, fb::Category::Weights);
  });
  EXPECT_NE(memory.find("CUDA_ERROR_OUT_OF_MEMORY"), std::string::npos);
}

TEST_F(GpuDevice, ASnapshotIsOfItsMomentAndReadBesideTheWork) {
  // More than two pieces of staging, the last one not full.
  constexpr std::uint64_t kLong = (20 << 20) + 12, kPitch = 64, kWidth = 20,
                          kRows = 100;
  std::vector<std::byte> bytes(kLong), rows(kPitch * kRows);
  std::mt19937 random(11);
  for (auto *all : {&bytes, &rows})
    for (auto &byte : *all)
      byte = static_cast<std::byte>(random());
  auto flat = make(kLong), table = make(rows.size());
  device->copyToDevice(flat.pointer, bytes.data(), bytes.size());
  device->copyToDevice(table.pointer, rows.data(), rows.size());
  std::vector<std::byte> expected;
  for (std::size_t row = 0; row < kRows; ++row)
    expected.insert(expected.end(), rows.data() + row * kPitch,
                    rows.data() + row * kPitch + kWidth);
  expected.insert(expected.end(), bytes.begin(), bytes.end());
  std::array parts{DeviceRows{table.pointer, kPitch, kWidth, kRows},
                   DeviceRows{flat.pointer, kLong, kLong, 1}};
  // Twice: the second one takes the memory of the first.
  for (int i = 0; i < 2; ++i) {
    auto snapshot = device->snapshot(parts);
    ASSERT_TRUE(snapshot);
    EXPECT_FALSE(device->snapshot(parts)) << "one at a time";
    device->fill(0, flat, fb::DType::F32, 3.0);
    std::vector<std::byte> read;
    std::thread([&] {
      snapshot->read([&](std::span<const std::byte> piece) {
        read.insert(read.end(), piece.begin(), piece.end());
      });
    }).join();
    EXPECT_TRUE(read == expected);
    snapshot.reset();
    device->copyToDevice(flat.pointer, bytes.data(), bytes.size());
  }
  std::array tooLarge{DeviceRows{flat.pointer, kLong, kLong, 1u << 30}};
  EXPECT_FALSE(device->snapshot(tooLarge)) << "no room: the caller copies";
  EXPECT_TRUE(device->snapshot(parts));
}

} // namespace
} // namespace llamarun
