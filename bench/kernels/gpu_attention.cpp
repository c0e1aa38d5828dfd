//===- gpu_attention.cpp - Timings of the library kernels on a GPU --------===//
//
//   gpu_attention [--once]
// Median of CUDA graph replays, microseconds, and TFLOP/s where arithmetic is
// what counts: causal FLOPs, 4 S^2/2 heads D forward and 2.5 times that
// backward. `pdl` launches may overlap (programmatic). The peer,
// gpu_attention_peer.py, prints the same cases through PyTorch. --once runs the
// kernels of the main cases once each, for a profiler.
//
//===----------------------------------------------------------------------===//
#include "test/gpu/KernelDevice.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <random>

using namespace llamac;
using Buffer = LibraryBuffer;

namespace {

bool once = false;

std::vector<uint16_t> noise(size_t count) {
  std::mt19937 generator(1);
  std::vector<uint16_t> pool(1 << 16), x(count);
  std::normal_distribution<float> normal;
  for (uint16_t &e : pool) {
    float f = normal(generator);
    e = uint16_t(std::bit_cast<uint32_t>(f) >> 16);
  }
  for (size_t i = 0; i < count; ++i)
    x[i] = pool[(i + i / 65521 * 17) & 0xffff];
  return x;
}

void attention(gpu::KernelDevice &device, const char *name, int64_t headDim,
               int64_t heads, int64_t kvHeads, std::vector<int64_t> lengths,
               int64_t tokens, int64_t maxLength, bool longCase,
               AttentionVariant variant = AttentionVariant::Fastest) {
  int64_t wide = heads * headDim, narrow = kvHeads * headDim;
  AttentionShape shape{LibraryType::BF16,
                       headDim,
                       heads,
                       kvHeads,
                       tokens,
                       int64_t(lengths.size()),
                       maxLength,
                       {wide, narrow, narrow, wide, wide, wide, narrow, narrow},
                       float(1 / std::sqrt(headDim)),
                       variant};
  std::vector<int32_t> cu{0};
  double flops = 0;
  for (int64_t length : lengths) {
    cu.push_back(int32_t(cu.back() + length));
    flops += 2.0 * length * length * heads * headDim;
  }
  device.write(Buffer::CuSeqlens, cu);
  for (Buffer name : {Buffer::Q, Buffer::Dout, Buffer::Out, Buffer::Dq})
    device.write(name, noise(tokens * wide));
  for (Buffer name : {Buffer::K, Buffer::V, Buffer::Dk, Buffer::Dv})
    device.write(name, noise(tokens * narrow));
  device.allocate(Buffer::Lse, tokens * heads * 4);
  device.allocate(Buffer::Delta, tokens * heads * 4);
  auto forward = *attentionForwardLaunches(shape, "sm_90", false);
  auto backward = *attentionGradLaunches(shape, "sm_90", false);
  int repeats = longCase ? 3 : 100, replays = longCase ? 9 : 21;
  auto line = [&](const char *pass, const std::vector<LibraryLaunch> &launches,
                  double work) {
    device.run(launches);
    if (once)
      return;
    double us = device.time(launches, repeats, replays, false);
    double pdl = device.time(launches, repeats, replays, true);
    std::printf("%-22s %-9s %9.2f us  pdl %9.2f us  %6.1f TFLOP/s ", name, pass,
                us, pdl, work / us * 1e-6);
    if (launches.size() > 1)
      for (const LibraryLaunch &launch : launches)
        std::printf(" %s %.1f", launch.symbol.c_str(),
                    device.time({launch}, repeats, replays, false));
    std::printf("\n");
    std::fflush(stdout);
  };
  line("forward", forward, flops);
  line("backward", backward, 2.5 * flops);
}

/// LoRA r 16 on the seven linear layers of Llama-3-8B, A 16 x in, B out x 16.
void fold(gpu::KernelDevice &device, const char *name, bool a, bool b) {
  std::vector<FoldEntry> entries;
  int64_t first = 0, target = 0;
  int64_t sizes[7][2] = {{4096, 4096}, {4096, 1024},  {4096, 1024},
                         {4096, 4096}, {4096, 14336}, {4096, 14336},
                         {14336, 4096}};
  for (int layer = 0; layer < 32; ++layer)
    for (auto [in, out] : sizes) {
      if (b) {
        entries.push_back({first, 16 * out, 16, target + in, in + 64, 2});
        first += 16 * out;
      }
      target += out * (in + 64);
      if (a) {
        entries.push_back({first, 16 * in, in, target, in + 64, 1});
        first += 16 * in;
      }
      target += 64 * (in + 64);
    }
  int64_t rows = (first + 1023) / 1024;
  device.allocate(Buffer::Params, rows * 4096);
  gpu::check(cuMemsetD32(device.at(Buffer::Params), 0x3f812345, rows * 1024),
             "set");
  device.allocate(Buffer::Weights, target * 2);
  device.write(Buffer::FoldTable, foldTable(entries));
  LibraryLaunch launch =
      foldLaunch(LibraryType::BF16, rows, int64_t(entries.size()));
  device.run({launch});
  double us = device.time({launch}, 3, 9, false);
  std::printf("fold_factors llama3-8b r16 %-8s %.1f us, %.0f GB/s of %lld M\n",
              name, us, first * 6 / us * 1e-3, (long long)(first / 1000000));
  if (a && b)
    std::printf(
        "least launch %.2f us\n",
        device.time({foldLaunch(LibraryType::BF16, 1, 1)}, 100, 21, false));
}

} // namespace

int main(int argc, char **argv) {
  once = argc > 1 && std::string(argv[1]) == "--once";
  try {
    gpu::KernelDevice device(false);
    std::vector<int64_t> sst2{12, 15, 9, 14, 12, 20, 11, 7};
    if (once) {
      attention(device, "", 128, 32, 8, sst2, 128, 128, false);
      attention(device, "", 128, 32, 8, {2048, 2048, 2048, 2048}, 8192, 2048,
                true);
      return 0;
    }
    attention(device, "sst2 T128 B8", 128, 32, 8, sst2, 128, 128, false);
    attention(device, "sst2 T256 B8", 128, 32, 8,
              {30, 35, 25, 31, 20, 48, 11, 37}, 256, 128, false);
    using enum AttentionVariant;
    auto equal = [&](const char *name, int64_t length,
                     AttentionVariant variant) {
      attention(device, name, 128, 32, 8, std::vector<int64_t>(8, length),
                8 * length, length, false, variant);
    };
    attention(device, "sst2 T128 B8 tiled", 128, 32, 8, sst2, 128, 128, false,
              Tiled);
    equal("8 x 32", 32, Short);
    equal("8 x 32 tiled", 32, Tiled);
    equal("8 x 32 hopper", 32, Hopper);
    equal("8 x 64", 64, Short);
    equal("8 x 64 tiled", 64, Tiled);
    equal("8 x 64 hopper", 64, Hopper);
    equal("8 x 128", 128, Short);
    equal("8 x 128 tiled", 128, Tiled);
    equal("8 x 128 hopper", 128, Hopper);
    equal("8 x 256 tiled", 256, Tiled);
    equal("8 x 256 hopper", 256, Hopper);
    attention(device, "sst2 d64 T128 B8", 64, 32, 8, sst2, 128, 128, false);
    attention(device, "4 x 2048", 128, 32, 8, {2048, 2048, 2048, 2048}, 8192,
              2048, true);
    attention(device, "4 x 2048 tiled", 128, 32, 8, {2048, 2048, 2048, 2048},
              8192, 2048, true, AttentionVariant::Tiled);
    attention(device, "1 x 8192", 128, 32, 8, {8192}, 8192, 8192, true);
    attention(device, "packed 8192", 128, 32, 8,
              {1200, 2048, 300, 77, 900, 1700, 1000, 900}, 8192, 2048, true);
    attention(device, "d64 4 x 2048", 64, 32, 8, {2048, 2048, 2048, 2048}, 8192,
              2048, true);
    fold(device, "A", true, false);
    fold(device, "B", false, true);
    fold(device, "A and B", true, true);
  } catch (const std::exception &error) {
    std::printf("error: %s\n", error.what());
    return 1;
  }
}
