//===- factors.cpp - Factor gradients against float64, on a GPU -----------===//
//
//   factors_gpu_test [--small | --time]
// Random groups of 1 to 4 problems of random shapes, pitches and layouts
// through factor_gradients, from the cubin and from PTX. What lies between and
// after the rows of Y and S is NaN, outs are full of NaN before each run:
// nothing may read a gap into a sum, write one, or leave an element unwritten,
// and a second run must give the same bytes. An element may be off by what f32
// sums lose. --small keeps to the cases that compute-sanitizer finishes in
// seconds. --time prints microseconds a launch for Llama-3-8B's groups, in a
// captured graph, with operands in the L2 cache as in a step. Prints a line for
// each problem that fails; exit status 1 if one did.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/FactorGradients.h"
#include "test/gpu/KernelDevice.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <random>
#include <utility>

using namespace llamac;

namespace {

std::mt19937_64 generator(20261124);
constexpr uint16_t kGap = 0xffff; // a bf16 NaN
constexpr uint32_t kEmpty = ~0u;  // an f32 NaN
constexpr int64_t kGuard = 2;     // rows after the last

int64_t pick(int64_t low, int64_t high) {
  return low + int64_t(generator() % uint64_t(high - low + 1));
}

double fromBf16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

/// rows x columns of random bf16, |x| in [0.25, 2), gaps and guard rows NaN.
std::vector<uint16_t> randomRows(int64_t rows, int64_t columns, int64_t pitch) {
  std::vector<uint16_t> x((rows + kGuard) * pitch, kGap);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      uint64_t r = generator();
      x[i * pitch + j] = uint16_t((r & 0x807f) | ((125 + (r >> 20) % 3) << 7));
    }
  return x;
}

/// Device memory with a copy of `x`, freed at the end.
class Memory {
public:
  template <typename T> explicit Memory(const std::vector<T> &x) {
    gpu::check(cuMemAlloc(&address, x.size() * sizeof(T)), "cuMemAlloc");
    write(x);
  }
  Memory(Memory &&other) : address(std::exchange(other.address, 0)) {}
  ~Memory() {
    if (address)
      cuMemFree(address);
  }
  template <typename T> void write(const std::vector<T> &x) {
    gpu::check(cuMemcpyHtoD(address, x.data(), x.size() * sizeof(T)), "write");
    gpu::check(cuStreamSynchronize(nullptr), "write");
  }
  template <typename T> std::vector<T> read(size_t count) const {
    std::vector<T> x(count);
    gpu::check(cuMemcpyDtoH(x.data(), address, count * sizeof(T)), "read");
    return x;
  }
  CUdeviceptr address = 0;
};

/// A problem with its operands, on the host and on the device.
struct Operands {
  Operands(int64_t tokens, const FactorProblem &p)
      : p(p), y(randomRows(tokens, p.n, p.ldy)),
        s(randomRows(tokens, p.rank, p.lds)),
        empty(((p.transposed ? p.rank : p.n) + kGuard) * p.ldd, kEmpty),
        deviceY(y), deviceS(s), deviceOut(empty) {}
  FactorProblem p;
  std::vector<uint16_t> y, s;
  std::vector<uint32_t> empty;
  Memory deviceY, deviceS, deviceOut;
};

std::vector<CUdeviceptr> pointers(const std::vector<Operands> &group) {
  std::vector<CUdeviceptr> all;
  for (const Operands &o : group)
    all.insert(all.end(), {o.deviceY.address, o.deviceS.address});
  for (const Operands &o : group)
    all.push_back(o.deviceOut.address);
  return all;
}

std::vector<Operands> operandsOf(int64_t tokens,
                                 const std::vector<FactorProblem> &problems) {
  std::vector<Operands> group;
  group.reserve(problems.size());
  for (const FactorProblem &p : problems)
    group.emplace_back(tokens, p);
  return group;
}

/// What is wrong with `out`, or null. `worst`: the largest error as a fraction
/// of what is allowed.
const char *compare(const Operands &o, int64_t tokens,
                    const std::vector<uint32_t> &out, double &worst) {
  const FactorProblem &p = o.p;
  const char *wrong = nullptr;
  std::vector<double> sums(p.n * p.rank), sizes(p.n * p.rank);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t n = 0; n < p.n; ++n)
      for (int64_t c = 0; c < p.rank; ++c) {
        double x = fromBf16(o.y[t * p.ldy + n]) * fromBf16(o.s[t * p.lds + c]);
        sums[n * p.rank + c] += x;
        sizes[n * p.rank + c] += std::abs(x);
      }
  int64_t rows = p.transposed ? p.rank : p.n;
  int64_t columns = p.transposed ? p.n : p.rank;
  for (int64_t i = 0; i < rows + kGuard; ++i)
    for (int64_t j = 0; j < p.ldd; ++j) {
      uint32_t got = out[i * p.ldd + j];
      if (i >= rows || j >= columns) {
        if (got != kEmpty)
          wrong = "gap written";
        continue;
      }
      int64_t at = p.transposed ? j * p.rank + i : i * p.rank + j;
      double error = std::abs(std::bit_cast<float>(got) - p.alpha * sums[at]) /
                     (std::abs(p.alpha) * sizes[at] * 1e-6);
      if (!(error <= 1)) // NaN too
        wrong = got == kEmpty ? "element not written" : "wrong element";
      worst = std::max(worst, error);
    }
  return wrong;
}

/// How many problems of the group came out wrong.
int failures(gpu::KernelDevice &device, bool ptx, int64_t tokens,
             const std::vector<FactorProblem> &problems, double &worst) {
  auto launch = factorGradientsLaunch(tokens, problems, "sm_90", ptx);
  if (!launch)
    throw std::runtime_error("no launch");
  std::vector<Operands> group = operandsOf(tokens, problems);
  std::vector<std::vector<uint32_t>> first;
  int failed = 0;
  for (int turn = 0; turn < 2; ++turn) {
    for (Operands &o : group)
      o.deviceOut.write(o.empty);
    device.launchAt(*launch, pointers(group), turn);
    gpu::check(cuStreamSynchronize(device.queue()), "factor_gradients");
    for (size_t i = 0; i < group.size(); ++i) {
      const FactorProblem &p = group[i].p;
      auto out = group[i].deviceOut.read<uint32_t>(group[i].empty.size());
      const char *wrong = nullptr;
      if (turn == 0) {
        wrong = compare(group[i], tokens, out, worst);
        first.push_back(std::move(out));
      } else if (out != first[i]) {
        wrong = "not the same twice";
      }
      if (!wrong)
        continue;
      ++failed;
      std::printf("FAIL %s: T %lld, problem %zu: N %lld rank %lld pitches %lld "
                  "%lld %lld%s: %s\n",
                  launch->symbol.c_str(), (long long)tokens, i, (long long)p.n,
                  (long long)p.rank, (long long)p.ldy, (long long)p.lds,
                  (long long)p.ldd, p.transposed ? " transposed" : "", wrong);
    }
  }
  return failed;
}

FactorProblem randomProblem(int64_t mostColumns) {
  FactorProblem p{};
  p.n = 8 * pick(1, mostColumns / 8);
  p.rank = 8 * pick(1, 8);
  p.transposed = pick(0, 1);
  p.ldy = p.n + 8 * pick(0, 3);
  p.lds = p.rank + 8 * pick(0, 3);
  p.ldd = (p.transposed ? p.n : p.rank) + 4 * pick(0, 3);
  p.alpha = float(pick(1, 16)) / (pick(0, 1) ? 4 : -4);
  return p;
}

FactorProblem gradientOfA(int64_t n, int64_t rank) {
  return {n, rank, n, rank, n, true, 1};
}
FactorProblem gradientOfB(int64_t n, int64_t rank, int64_t ldy, int64_t lds) {
  return {n, rank, ldy, lds, rank, false, 2};
}

/// Llama-3-8B's groups of layers, rank 16.
const struct {
  const char *name;
  std::vector<FactorProblem> problems;
} kGroups[] = {
    {"q,k,v",
     {gradientOfA(4096, 48), gradientOfB(4096, 16, 6144, 48),
      gradientOfB(1024, 16, 6144, 48), gradientOfB(1024, 16, 6144, 48)}},
    {"o", {gradientOfA(4096, 16), gradientOfB(4096, 16, 4096, 16)}},
    {"gate,up",
     {gradientOfA(4096, 32), gradientOfB(14336, 16, 28672, 32),
      gradientOfB(14336, 16, 28672, 32)}},
    {"down", {gradientOfA(14336, 16), gradientOfB(4096, 16, 4096, 16)}},
    {"one of rank 64", {gradientOfB(28672, 64, 28672, 64)}}};

int test(bool small) {
  int failed = 0, runs = 0;
  double worst = 0;
  for (bool ptx : {false, true}) {
    gpu::KernelDevice device(ptx);
    auto run = [&](int64_t tokens, const std::vector<FactorProblem> &problems) {
      failed += failures(device, ptx, tokens, problems, worst);
      runs += int(problems.size());
    };
    for (int count = 1; count <= 4; ++count) {
      for (int64_t tokens : {1, 63, 65, 200}) {
        std::vector<FactorProblem> problems;
        for (int i = 0; i < count; ++i)
          problems.push_back(randomProblem(200));
        run(tokens, problems);
      }
      if (small)
        continue;
      for (int i = 0; i < 12; ++i) {
        std::vector<FactorProblem> problems;
        for (int j = 0; j < count; ++j)
          problems.push_back(randomProblem(1200));
        run(i ? pick(1, 1024) : 1024, problems);
      }
    }
    if (!small)
      for (const auto &group : kGroups)
        run(96, group.problems);
  }
  std::printf("%d of %d failed; largest error %.2f of what is allowed\n",
              failed, runs, worst);
  return failed > 0;
}

void time() {
  gpu::KernelDevice device(false);
  std::printf("%-16s %6s %8s %8s us\n", "group", "T", "alone", "overlap");
  for (const auto &group : kGroups)
    for (int64_t tokens : {8, 64, 96, 128, 192, 256, 512, 1024}) {
      auto launch =
          factorGradientsLaunch(tokens, group.problems, "sm_90", false);
      if (!launch)
        throw std::runtime_error("no launch");
      std::vector<Operands> operands = operandsOf(tokens, group.problems);
      std::vector<CUdeviceptr> all = pointers(operands);
      device.launchAt(*launch, all, false); // loads the code
      double us[2];
      for (bool overlap : {false, true})
        us[overlap] = device.timeGraph(
            [&] {
              for (int i = 0; i < 100; ++i)
                device.launchAt(*launch, all, overlap);
            },
            100, 20);
      std::printf("%-16s %6lld %8.2f %8.2f\n", group.name, (long long)tokens,
                  us[0], us[1]);
    }
}

} // namespace

int main(int argc, char **argv) {
  std::string mode = argc > 1 ? argv[1] : "";
  try {
    if (mode != "--time")
      return test(mode == "--small");
    time();
    return 0;
  } catch (const std::exception &error) {
    std::printf("FAIL %s\n", error.what());
    return 1;
  }
}
