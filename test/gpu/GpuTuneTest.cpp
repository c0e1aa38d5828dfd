// GEMM algorithms chosen by timing: right, repeatable, remembered in a file
// that may be damaged, and found without touching the operands.
#include "runtime/device/Device.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

namespace llamarun {
namespace {

std::uint16_t toBf16(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
float fromBf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

/// A linear layer of a folded panel, forward or for the gradient of x: bf16,
/// with a leading dimension beyond the matrix and scratch for split sums.
struct Problem {
  std::uint64_t m, n, k;
  bool transposeB;
  float beta;
};
const Problem kProblems[] = {
    {96, 512, 2080, true, 0},
    {96, 2080, 512, false, 0},
    {64, 16, 4096, true, 1},
    {16, 1024, 96, false, 0},
};

class Gemms {
public:
  explicit Gemms(const DeviceOptions &options)
      : device(createDevice("cuda", options)) {
    std::uint64_t scratch = 32 << 20;
    device->setWorkspace(
        device->allocate(scratch, 256, fb::Category::Workspace), scratch, 1);
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    for (auto &problem : kProblems) {
      GemmCall call;
      call.dtypeA = call.dtypeB = call.dtypeD = fb::DType::BF16;
      call.transposeB = problem.transposeB;
      call.m = problem.m, call.n = problem.n, call.k = problem.k;
      call.beta = problem.beta;
      call.lda = call.k + 64;
      call.ldb = (call.transposeB ? call.k : call.n) + 64;
      call.ldd = call.n + 64;
      auto make = [&](std::uint64_t count) {
        std::vector<std::uint16_t> values(count);
        for (auto &value : values)
          value = toBf16(normal(random));
        return values;
      };
      a.push_back(make(call.m * call.lda));
      b.push_back(make((call.transposeB ? call.n : call.k) * call.ldb));
      d.push_back(make(call.m * call.ldd));
      for (auto [range, values] :
           {std::pair(&call.a, &a.back()), std::pair(&call.b, &b.back()),
            std::pair(&call.d, &d.back())}) {
        range->bytes = values->size() * 2;
        range->pointer =
            device->allocate(range->bytes, 256, fb::Category::Activations);
        device->copyToDevice(range->pointer, values->data(), range->bytes);
      }
      calls.push_back(call);
    }
  }

  void prepare() {
    for (auto &call : calls)
      device->prepareGemm(call);
    device->finishPreparation();
  }

  std::vector<std::uint16_t> fetch(const DeviceRange &range) {
    std::vector<std::uint16_t> values(range.bytes / 2);
    device->copyFromDevice(values.data(), range.pointer, range.bytes);
    return values;
  }

  void expectOperandsUntouched() {
    for (std::size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(fetch(calls[i].a), a[i]);
      EXPECT_EQ(fetch(calls[i].b), b[i]);
      EXPECT_EQ(fetch(calls[i].d), d[i]);
    }
  }

  /// All results, checked against loops in float64.
  std::vector<std::vector<std::uint16_t>> multiply() {
    auto &expected = reference();
    std::vector<std::vector<std::uint16_t>> results;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      auto &call = calls[i];
      device->copyToDevice(call.d.pointer, d[i].data(), call.d.bytes);
      device->gemm(0, call);
      results.push_back(fetch(call.d));
      double difference = 0, norm = 0;
      for (std::uint64_t at = 0; at < call.m * call.ldd; ++at) {
        double got = fromBf16(results[i][at]);
        if (at % call.ldd >= call.n) {
          EXPECT_EQ(results[i][at], d[i][at]) << "between rows";
          continue;
        }
        double error = got - expected[i][at];
        difference += error * error;
        norm += expected[i][at] * expected[i][at];
      }
      // One rounding to bf16 of a sum in f32.
      EXPECT_LT(std::sqrt(difference / norm), 3e-3) << "problem " << i;
    }
    return results;
  }

  /// The products of the operands, which are the same in every Gemms, in
  /// float64; computed once.
  const std::vector<std::vector<double>> &reference() const {
    static std::vector<std::vector<double>> expected;
    for (std::size_t i = expected.size(); i < calls.size(); ++i) {
      auto &call = calls[i];
      std::vector<float> x(a[i].size()), y(b[i].size());
      std::transform(a[i].begin(), a[i].end(), x.begin(), fromBf16);
      std::transform(b[i].begin(), b[i].end(), y.begin(), fromBf16);
      auto &values = expected.emplace_back(call.m * call.ldd);
      for (std::uint64_t r = 0; r < call.m; ++r)
        for (std::uint64_t c = 0; c < call.n; ++c) {
          double sum = call.beta * fromBf16(d[i][r * call.ldd + c]);
          for (std::uint64_t k = 0; k < call.k; ++k)
            sum += double{x[r * call.lda + k]} *
                   y[call.transposeB ? c * call.ldb + k : k * call.ldb + c];
          values[r * call.ldd + c] = sum;
        }
    }
    return expected;
  }

  std::unique_ptr<Device> device;
  std::vector<GemmCall> calls;
  std::vector<std::vector<std::uint16_t>> a, b, d;
};

class GpuTune : public testing::Test {
protected:
  void SetUp() override {
    try {
      createDevice("cuda");
    } catch (const Error &error) {
      GTEST_SKIP() << "no GPU here: " << error.what();
    }
    file = std::filesystem::temp_directory_path() /
           ("llamac-tune-" + std::to_string(::getpid()));
    std::filesystem::remove(file);
    options.tune = Tune::Load;
    options.tuneFile = file.string();
    options.note = [this](const std::string &text) { notes += text + "\n"; };
  }
  void TearDown() override { std::filesystem::remove(file); }

  std::filesystem::path file;
  DeviceOptions options;
  std::string notes;
};

std::string contentOf(const std::filesystem::path &file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(GpuTune, FindsRightAlgorithmsAndRemembersThem) {
  std::vector<std::vector<std::uint16_t>> first;
  {
    Gemms gemms(options);
    auto before = gemms.device->memoryInfo().freeBytes;
    gemms.prepare();
    gemms.expectOperandsUntouched();
    // The copies it timed on are given back (kernels stay loaded).
    EXPECT_GT(gemms.device->memoryInfo().freeBytes + (64 << 20), before);
    first = gemms.multiply();
    EXPECT_EQ(gemms.multiply(), first);
  }
  EXPECT_NE(notes.find("tuned 4 GEMM shapes"), std::string::npos) << notes;
  std::printf("%s", notes.c_str());
  auto written = contentOf(file);
  EXPECT_NE(written.find("96x512x2080"), std::string::npos) << written;

  notes.clear();
  {
    Gemms again(options);
    again.prepare();
    EXPECT_EQ(again.multiply(), first); // the same algorithms, the same bits
  }
  EXPECT_EQ(notes, "");
  EXPECT_EQ(contentOf(file), written);

  notes.clear();
  options.tune = Tune::Force;
  Gemms anew(options);
  anew.prepare();
  anew.multiply();
  EXPECT_NE(notes.find("tuned 4 GEMM shapes"), std::string::npos) << notes;
}

TEST_F(GpuTune, ADamagedFileIsANote) {
  {
    Gemms gemms(options);
    gemms.prepare();
  }
  auto good = contentOf(file);
  auto digit = good.find("nt 96x512x2080");
  digit = good.find(": \"", digit) + 3;
  auto flipped = good;
  flipped[digit] = flipped[digit] == '0' ? '1' : '0';
  auto foreign = good;
  foreign.replace(foreign.find("cuBLASLt "), 9, "cuBLASLt 9");
  for (auto &bad : {flipped, foreign, good.substr(0, good.size() / 2),
                    std::string("\xff\x00{", 3), std::string()}) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bad;
    notes.clear();
    Gemms gemms(options);
    EXPECT_NE(notes.find("tuning anew"), std::string::npos)
        << notes << "\nfor " << bad.substr(0, 60);
    gemms.prepare();
    gemms.multiply();
    EXPECT_NE(notes.find("tuned 4 GEMM shapes"), std::string::npos) << notes;
  }
}

TEST_F(GpuTune, AFileThatCannotBeWrittenIsANote) {
  options.tuneFile = "/proc/no-such-directory/plan.fb.tune";
  Gemms gemms(options);
  gemms.prepare();
  gemms.multiply();
  EXPECT_NE(notes.find("tuned GEMMs are not kept"), std::string::npos) << notes;
}

TEST_F(GpuTune, OffTakesTheLibrarysChoice) {
  options.tune = Tune::Off;
  Gemms gemms(options);
  gemms.prepare();
  auto first = gemms.multiply();
  EXPECT_EQ(gemms.multiply(), first);
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(notes, "");
}

} // namespace
} // namespace llamarun
