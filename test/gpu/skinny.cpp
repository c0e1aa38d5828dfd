//===- skinny.cpp - Skinny products against float64, on a GPU -------------===//
//
//   skinny_gpu_test [--small]
// Random shapes and pitches through every tile of skinny_gemm and through the
// one llamac takes. What lies between and after the rows of A and B is NaN, D
// is full of NaN before each run: nothing may read a gap, write one, or leave
// an element unwritten, and a second run must give the same bytes. An element
// may be off by half a bf16 step and what f32 sums lose. --small keeps to the
// cases that compute-sanitizer finishes in seconds. Prints a line for each case
// that fails; exit status 1 if one did.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/SkinnyGemm.h"
#include "test/gpu/KernelDevice.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <random>

using namespace llamac;
using kernels::SkinnyTile;
using Buffer = LibraryBuffer;

namespace {

std::mt19937_64 generator(20261123);
constexpr uint16_t kGap = 0xffff; // a NaN
constexpr int64_t kGuard = 3;     // rows after the last

float fromBf16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

struct Case {
  int64_t m, n, k;
  bool transposeB;
  int64_t gapA, gapB, gapD; // elements after each row
};

/// rows x columns of random bf16, a gap after each row and guard rows.
std::vector<uint16_t> randomRows(int64_t rows, int64_t columns, int64_t pitch) {
  std::vector<uint16_t> x((rows + kGuard) * pitch, kGap);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      // Random mantissas, signs and a few exponents: |x| in [0.25, 2).
      uint64_t r = generator();
      x[i * pitch + j] = uint16_t((r & 0x807f) | ((125 + (r >> 20) % 3) << 7));
    }
  return x;
}

class Test {
public:
  Test(gpu::KernelDevice &device, const Case &c) : device(device), c(c) {
    lda = c.k + c.gapA;
    ldb = (c.transposeB ? c.k : c.n) + c.gapB;
    ldd = c.n + c.gapD;
    std::vector<uint16_t> a = randomRows(c.m, c.k, lda),
                          b = c.transposeB ? randomRows(c.n, c.k, ldb)
                                           : randomRows(c.k, c.n, ldb);
    device.write(Buffer::GemmA, a);
    device.write(Buffer::GemmB, b);
    expected.resize(c.m * c.n);
    magnitude.resize(c.m * c.n);
    std::vector<double> column(c.k);
    for (int64_t j = 0; j < c.n; ++j) {
      for (int64_t p = 0; p < c.k; ++p)
        column[p] = fromBf16(c.transposeB ? b[j * ldb + p] : b[p * ldb + j]);
      for (int64_t i = 0; i < c.m; ++i) {
        double sum = 0, sizes = 0;
        for (int64_t p = 0; p < c.k; ++p) {
          double x = fromBf16(a[i * lda + p]) * column[p];
          sum += x;
          sizes += std::abs(x);
        }
        expected[i * c.n + j] = sum;
        magnitude[i * c.n + j] = sizes;
      }
    }
  }

  /// False, and a line, if this tile gets it wrong. `worst` is the largest
  /// error as a fraction of what is allowed.
  bool passes(std::optional<SkinnyTile> tile, double &worst) {
    auto launch = skinnyGemmLaunch(c.m, c.n, c.k, c.transposeB, lda, ldb, ldd,
                                   "sm_90", false, tile);
    if (!launch)
      throw std::runtime_error("no launch");
    std::vector<uint16_t> gaps((c.m + kGuard) * ldd, kGap), first;
    const char *wrong = nullptr;
    double largest = 0;
    for (int turn = 0; turn < 2; ++turn) {
      device.write(Buffer::GemmD, gaps);
      device.run({*launch});
      auto d = device.read<uint16_t>(Buffer::GemmD, gaps.size());
      if (turn && d != first)
        wrong = "not the same twice";
      for (int64_t i = 0; i < c.m + kGuard; ++i)
        for (int64_t j = 0; j < ldd; ++j) {
          uint16_t got = d[i * ldd + j];
          if (i >= c.m || j >= c.n) {
            if (got != kGap)
              wrong = "gap written";
            continue;
          }
          int64_t at = i * c.n + j;
          double allowed =
              std::abs(expected[at]) / 256 * 1.004 + magnitude[at] * 4e-6;
          double error = std::abs(fromBf16(got) - expected[at]) / allowed;
          if (!(error <= 1)) // NaN too
            wrong = got == kGap ? "element not written" : "wrong element";
          largest = std::max(largest, error);
        }
      first = std::move(d);
    }
    worst = std::max(worst, largest);
    if (wrong)
      std::printf("FAIL %s: M %lld N %lld K %lld pitches %lld %lld %lld %s\n",
                  launch->symbol.c_str(), (long long)c.m, (long long)c.n,
                  (long long)c.k, (long long)lda, (long long)ldb,
                  (long long)ldd, wrong);
    return !wrong;
  }

private:
  gpu::KernelDevice &device;
  Case c;
  int64_t lda, ldb, ldd;
  std::vector<double> expected, magnitude; // sum and sum of absolute values
};

std::vector<Case> cases(bool small) {
  auto pick = [](int64_t low, int64_t high) {
    return low + int64_t(generator() % uint64_t(high - low + 1));
  };
  std::vector<Case> all;
  for (bool transposeB : {true, false}) {
    all.push_back({33, 64, 1096, transposeB, 8, 64, 64});
    all.push_back({1, 8, 8, transposeB, 0, 8, 2});
    if (small)
      continue;
    all.push_back({96, 64, 4096, transposeB, 0, 64, 4096});
    all.push_back({100, 64, 14336, transposeB, 64, 0, 6});
    all.push_back({70, 64, 28672, transposeB, 0, 8, 0});
    all.push_back({320, 128, 2048, transposeB, 0, 0, 0});
    // Fewer chunks than blocks, than warps; a whole number of rings.
    for (int64_t k : {64, 448, 512, 520, 2048, 8192, 6144})
      all.push_back({pick(1, 70), 8 * pick(1, 16), k, transposeB, 0, 8, 2});
    for (int i = 0; i < 20; ++i)
      all.push_back({pick(1, 200), 8 * pick(1, 16), 8 * pick(1, 700),
                     transposeB, 8 * pick(0, 3), 8 * pick(0, 3),
                     2 * pick(0, 9)});
  }
  return all;
}

} // namespace

int main(int argc, char **argv) {
  bool small = argc > 1 && std::string(argv[1]) == "--small";
  int failures = 0, runs = 0;
  double worst = 0;
  try {
    gpu::KernelDevice device(false);
    for (const Case &c : cases(small)) {
      Test test(device, c);
      std::vector<std::optional<SkinnyTile>> tiles{std::nullopt};
      for (const SkinnyTile &tile : skinnyGemmTiles())
        tiles.push_back(tile);
      for (const auto &tile : tiles) {
        failures += !test.passes(tile, worst);
        ++runs;
      }
    }
  } catch (const std::exception &error) {
    std::printf("FAIL %s\n", error.what());
    return 1;
  }
  std::printf("%d of %d failed; largest error %.2f of what is allowed\n",
              failures, runs, worst);
  return failures > 0;
}
