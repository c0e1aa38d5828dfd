//===- triplets.cpp - AdaLoRA's CUDA kernels against float64 --------------===//
//
// Runs on a machine with a GPU: `triplets_gpu_test [--ptx] [--small]`; --small
// leaves out the model's sizes, for sanitizers. Every kernel of
// compiler/kernels/Triplet*.cu against
// test/passes/codegen/TripletReference.h, twice with equal bytes, and the
// time of each at the sizes of llama3-8b.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/Triplets.h"
#include "test/gpu/KernelDevice.h"
#include "test/passes/codegen/TripletReference.h"

#include <cstdio>
#include <cstring>

using namespace llamac;
using Buffer = LibraryBuffer;
using Floats = std::vector<float>;

namespace {

bool failed = false;

void report(const char *what, const TripletCase &c, double error, double bar) {
  bool good = error <= bar;
  failed |= !good;
  std::printf("%s %s: %lld modules, r %lld: largest error %.2g\n",
              good ? "ok  " : "FAIL", what, (long long)c.modules(),
              (long long)c.rank, error);
}

double errorOf(const std::vector<double> &expected, const Floats &got) {
  double worst = expected.size() == got.size() ? 0 : INFINITY;
  for (size_t i = 0; i < got.size(); ++i) {
    double e = std::abs(expected[i] - got[i]) / (1 + std::abs(expected[i]));
    worst = e <= worst ? worst : e; // NaN counts
  }
  return worst;
}

/// Runs a launch twice from the same inputs; `read` gives what it wrote.
template <typename Write>
Floats twice(gpu::KernelDevice &device, const LibraryLaunch &launch,
             Buffer written, size_t count, Write write) {
  Floats first;
  for (int run = 0; run < 2; ++run) {
    write();
    device.run({launch});
    Floats now = device.read<float>(written, count);
    if (run == 0)
      first = now;
    else if (std::memcmp(first.data(), now.data(), count * sizeof(float))) {
      failed = true;
      std::printf("FAIL %s: two runs differ\n", launch.symbol.c_str());
    }
  }
  return first;
}

void check(gpu::KernelDevice &device, const TripletCase &c, bool ofModel) {
  int64_t m = c.modules(), r = c.rank, n = m * r;
  // Sums of 14336 terms in float32.
  double bar = ofModel ? 2e-4 : 4e-6;
  device.write(Buffer::Params, c.params);
  device.write(Buffer::TripletTable, c.table);
  device.write(Buffer::Gradients, c.gradients);
  for (bool withGradients : {true, false}) {
    size_t count = 2 * m * c.gramWidth();
    auto grams =
        twice(device, *tripletGramsLaunch(m, r, withGradients), Buffer::Grams,
              count, [&] { device.write(Buffer::Grams, Floats(count, -1)); });
    report("triplet_grams", c, errorOf(c.grams(withGradients), grams), bar);
  }

  Floats grams = c.anyGrams(), norms(2 * m);
  for (size_t i = 0; i < norms.size(); ++i)
    norms[i] = i == 1 ? 0 : 1 + float(i % 5);
  device.write(Buffer::Grams, grams);
  device.write(Buffer::Norms, norms);
  auto finished = twice(device, *tripletFinishLaunch(m, r, 0.75),
                        Buffer::NewGradients, c.gradients.size(), [&] {
                          device.write(Buffer::NewGradients, c.gradients);
                        });
  report("triplet_finish", c, errorOf(c.finished(grams, norms, 0.75), finished),
         4e-6);

  device.write(Buffer::Sensitivity, c.sensitivity);
  device.write(Buffer::Uncertainty, c.uncertainty);
  device.write(Buffer::Allocation, std::vector<int64_t>{1, 0});
  auto scores = twice(device, *tripletScoresLaunch(m, r), Buffer::Scores, 3 * n,
                      [&] { device.write(Buffer::Scores, Floats(3 * n, -1)); });
  report("triplet_scores", c, errorOf(c.scores(), scores), 4e-6);

  Floats sums(scores.begin(), scores.begin() + n);
  if (n > 4)
    sums[1] = sums[3] = sums[4]; // ties go together
  device.write(Buffer::Scores, sums);
  for (int64_t mode : {0, 1, 2, 3})
    for (int64_t k : {int64_t(0), int64_t(1), n / 2, n - 1, n}) {
      Floats kept(n, 1.0f), expected = c.params;
      kept[0] = 0;
      Floats wanted = mode == 1 || mode == 2 ? c.kept(sums, k) : kept;
      if (mode)
        c.mask(expected, wanted);
      device.write(Buffer::Allocation, std::vector<int64_t>{mode, k});
      device.write(Buffer::Kept, kept);
      device.write(Buffer::NewKept, kept);
      device.write(Buffer::NewParams, c.params);
      device.run({*tripletMaskLaunch(m, r)});
      bool good =
          device.read<float>(Buffer::NewKept, n) == wanted &&
          device.read<float>(Buffer::NewParams, expected.size()) == expected;
      if (!good) {
        failed = true;
        std::printf("FAIL triplet_mask: mode %lld, k %lld\n", (long long)mode,
                    (long long)k);
      }
    }
  if (!ofModel)
    return;
  device.write(Buffer::Allocation, std::vector<int64_t>{1, n / 2});
  for (auto &[what, launch] :
       {std::pair("triplet_grams", *tripletGramsLaunch(m, r, true)),
        {"triplet_finish", *tripletFinishLaunch(m, r, 0.75)},
        {"triplet_scores", *tripletScoresLaunch(m, r)},
        {"triplet_mask", *tripletMaskLaunch(m, r)}})
    std::printf("time %s: %.1f us\n", what,
                device.time({launch}, 20, 11, false));
}

} // namespace

int main(int argc, char **argv) {
  auto has = [&](const char *flag) {
    return std::any_of(argv + 1, argv + argc, [&](const char *argument) {
      return !std::strcmp(argument, flag);
    });
  };
  gpu::KernelDevice device(has("--ptx"));
  check(device, {4, {{64, 96}, {96, 64}, {7, 3}}}, false);
  check(device, {1, {{5, 9}}}, false);
  check(device, {5, {{5, 9}, {300, 77}}, 0.5f}, false);
  check(device, {12, {{40, 33}, {16, 1000}}, 0.25f}, false);
  check(device, {17, {{32, 32}, {300, 200}}, 0.5f}, false);
  check(device, {64, {{512, 320}}}, false);
  check(device, {128, {{256, 129}}}, false);
  std::vector<TripletCase::Shape> layer{
      {4096, 4096},  {4096, 1024},  {4096, 1024}, {4096, 4096},
      {4096, 14336}, {4096, 14336}, {14336, 4096}};
  std::vector<TripletCase::Shape> model;
  for (int i = 0; i < 32; ++i)
    model.insert(model.end(), layer.begin(), layer.end());
  if (!has("--small"))
    check(device, {16, model}, true);
  std::printf(failed ? "FAILED\n" : "all ok\n");
  return failed;
}
