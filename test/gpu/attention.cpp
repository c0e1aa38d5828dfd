//===- attention.cpp - Library kernels against float64, on a GPU ----------===//
//
//   attention_gpu_test [--ptx] [--small]
// Random packed batches through every variant of the attention kernels, and
// fold_factors, compared with float64 loops. Before each run outputs, the gaps
// between rows and the rows beyond T hold NaN: nothing may read a gap, write
// one, or leave an element unwritten; padding rows must be 0; a second run must
// give the same bytes. --small keeps to the cases that compute-sanitizer
// finishes in seconds. Prints a line a case; exit status 1 if one failed.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/FoldPlace.h"
#include "test/compiler/kernels/AttentionReference.h"
#include "test/gpu/KernelDevice.h"

#include <bit>
#include <cstdio>
#include <cstring>
#include <random>

using namespace llamac;
using reference::Matrix;
using Buffer = LibraryBuffer;

namespace {

std::mt19937_64 generator(20261122);
bool failed = false;

uint16_t toBf16(double x) {
  uint32_t bits = std::bit_cast<uint32_t>(float(x));
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
float fromBf16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}
bool isGap(float x) { return std::bit_cast<uint32_t>(x) == 0xffffffff; }
bool isGap(uint16_t x) { return x == 0xffff; }

/// A matrix on the device: rows `pitch` apart, extra rows after the last, all
/// gaps NaN.
template <typename T> struct Pitched {
  int64_t rows, columns, pitch;
  static constexpr int64_t kGuard = 3; // rows

  static T encode(double x) {
    if constexpr (sizeof(T) == 2)
      return toBf16(x);
    else
      return float(x);
  }
  static double decode(T x) {
    if constexpr (sizeof(T) == 2)
      return fromBf16(x);
    else
      return x;
  }
  int64_t size() const { return (rows + kGuard) * pitch; }
  std::vector<T> gaps() const {
    std::vector<T> data(size());
    std::memset(data.data(), 0xff, data.size() * sizeof(T));
    return data;
  }
  /// Writes `dense`, rounded in place to what T holds.
  void write(gpu::KernelDevice &device, Buffer name, Matrix &dense) const {
    std::vector<T> data = gaps();
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        T x = encode(dense[i * columns + j]);
        data[i * pitch + j] = x;
        dense[i * columns + j] = decode(x);
      }
    device.write(name, data);
  }
  /// Relative error in the 2-norm, or infinity if a gap was written, an element
  /// was not, or a row from `real` on is not 0.
  double error(const std::vector<T> &data, const Matrix &expected,
               int64_t real) const {
    double difference = 0, norm = 0, largest = 0;
    for (int64_t i = 0; i < rows + kGuard; ++i)
      for (int64_t j = 0; j < pitch; ++j) {
        T x = data[i * pitch + j];
        if (i >= rows || j >= columns) {
          if (!isGap(x))
            return INFINITY;
          continue;
        }
        double y = expected[i * columns + j], e = decode(x) - y;
        if (!std::isfinite(decode(x)) || (i >= real && decode(x) != 0))
          return INFINITY;
        difference += e * e;
        norm += y * y;
        largest = std::max(largest, std::abs(e));
      }
    double root = std::sqrt(norm / std::max<int64_t>(1, real * columns));
    // One wrong element among many must not drown in the norm.
    if (largest > (sizeof(T) == 2 ? 0.25 : 1e-3) * std::max(root, 1e-3))
      return INFINITY;
    return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
  }
};

struct Case {
  LibraryType type;
  int64_t headDim, heads, kvHeads;
  std::vector<int64_t> lengths;
  int64_t padding, gap; // rows after the last sequence; elements after each row
  int64_t maxLength;
  AttentionVariant variant = AttentionVariant::Fastest;
};

template <typename T> class Run {
public:
  Run(gpu::KernelDevice &device, const Case &c, bool ptx)
      : device(device), c(c), ptx(ptx) {
    attention = {c.headDim, c.heads, c.kvHeads,
                 0,         {0},     0.7 / std::sqrt(c.headDim)};
    for (int64_t length : c.lengths)
      attention.cuSeqlens.push_back(
          int32_t(attention.cuSeqlens.back() + length));
    real = attention.cuSeqlens.back();
    attention.tokens = real + c.padding;
    wide = {attention.tokens, c.heads * c.headDim, c.heads * c.headDim + c.gap};
    narrow = {attention.tokens, c.kvHeads * c.headDim,
              c.kvHeads * c.headDim + 2 * c.gap};
    logs = {attention.tokens, c.heads, c.heads};
    shape = {c.type,
             c.headDim,
             c.heads,
             c.kvHeads,
             attention.tokens,
             int64_t(c.lengths.size()),
             c.maxLength,
             {wide.pitch, narrow.pitch, narrow.pitch, wide.pitch, wide.pitch,
              wide.pitch, narrow.pitch, narrow.pitch},
             float(attention.scale),
             c.variant};
    attention.scale = shape.scale;
  }

  void both() {
    device.write(Buffer::CuSeqlens, attention.cuSeqlens);
    Matrix q = random(wide), k = random(narrow), v = random(narrow),
           dout = random(wide), out, lse, dq, dk, dv;
    wide.write(device, Buffer::Q, q);
    narrow.write(device, Buffer::K, k);
    narrow.write(device, Buffer::V, v);
    wide.write(device, Buffer::Dout, dout);
    attention.forward(q, k, v, out, lse);
    auto forward = attentionForwardLaunches(shape, "sm_90", ptx);
    auto backward = attentionGradLaunches(shape, "sm_90", ptx);
    if (!forward || !backward)
      throw std::runtime_error("no launch");
    run(*forward, {{Buffer::Out, &out, &wide}}, &lse);
    // The gradient reads the exact results, rounded, not the kernel's own.
    Matrix rounded = out;
    wide.write(device, Buffer::Out, rounded);
    logs.write(device, Buffer::Lse, lse);
    attention.backward(q, k, v, rounded, lse, dout, dq, dk, dv);
    device.write(Buffer::Delta, logs.gaps());
    run(*backward,
        {{Buffer::Dq, &dq, &wide},
         {Buffer::Dk, &dk, &narrow},
         {Buffer::Dv, &dv, &narrow}},
        nullptr);
  }

private:
  struct Result {
    Buffer name;
    const Matrix *expected;
    const Pitched<T> *layout;
  };

  Matrix random(const Pitched<T> &layout) {
    std::normal_distribution<double> normal;
    Matrix x(layout.rows * layout.columns);
    for (double &e : x)
      e = normal(generator);
    return x;
  }

  void run(const std::vector<LibraryLaunch> &launches,
           std::vector<Result> results, const Matrix *lse) {
    std::vector<std::vector<T>> first;
    std::vector<float> firstLse;
    bool same = true;
    double worst = 0, worstLse = 0;
    for (int turn = 0; turn < 2; ++turn) {
      for (const Result &r : results)
        device.write(r.name, r.layout->gaps());
      if (lse)
        device.write(Buffer::Lse, logs.gaps());
      device.run(launches);
      for (size_t i = 0; i < results.size(); ++i) {
        const Result &r = results[i];
        auto data = device.read<T>(r.name, r.layout->size());
        if (turn)
          same &= std::memcmp(data.data(), first[i].data(),
                              data.size() * sizeof(T)) == 0;
        else
          worst = std::max(worst, r.layout->error(data, *r.expected, real));
        first.push_back(std::move(data));
      }
      if (lse) {
        auto data = device.read<float>(Buffer::Lse, logs.size());
        if (turn)
          same &= std::memcmp(data.data(), firstLse.data(),
                              data.size() * sizeof(float)) == 0;
        else
          worstLse = logs.error(data, *lse, real);
        firstLse = std::move(data);
      }
    }
    bool good = worst < (sizeof(T) == 2 ? 8e-3 : 2e-6) &&
                worstLse < (sizeof(T) == 2 ? 1e-5 : 2e-6) && same;
    failed |= !good;
    std::string symbols;
    for (const LibraryLaunch &launch : launches)
      symbols += " " + launch.symbol;
    std::printf("%s d%-3lld %lld/%lld T%-4lld B%-2zu max %-4lld error %.1e lse "
                "%.1e%s%s\n",
                good ? "ok  " : "FAIL", (long long)c.headDim,
                (long long)c.heads, (long long)c.kvHeads,
                (long long)attention.tokens, c.lengths.size(),
                (long long)c.maxLength, worst, worstLse,
                same ? "" : " not the same twice", symbols.c_str());
    std::fflush(stdout);
  }

  gpu::KernelDevice &device;
  Case c;
  bool ptx;
  reference::Attention attention;
  AttentionShape shape;
  int64_t real;
  Pitched<T> wide, narrow;
  Pitched<float> logs;
};

template <typename T>
void fold(gpu::KernelDevice &device, LibraryType type, int segments) {
  std::uniform_int_distribution<int> pick(0, 5);
  std::vector<FoldEntry> entries;
  int64_t first = 0, target = 0;
  for (int i = 0; i < segments; ++i) {
    int64_t columns = std::array{16, 24, 8, 5, 100, 1}[pick(generator)];
    int64_t rows = 1 + pick(generator) * 7,
            pitch = columns + 8 * pick(generator);
    entries.push_back({first, rows * columns, columns, target, pitch,
                       0.5f + float(pick(generator))});
    first += (rows * columns + 15) / 16 * 16 + 16 * pick(generator);
    target += rows * pitch + pick(generator) * (i % 2 ? 8 : 3);
  }
  int64_t rows = (first + 1023) / 1024;
  std::vector<float> params(rows * 1024);
  std::normal_distribution<float> normal;
  for (float &x : params)
    x = normal(generator);
  Pitched<T> layout{1, target, target};
  std::vector<T> expected = layout.gaps();
  for (const FoldEntry &e : entries)
    for (int64_t i = 0; i < e.count; ++i)
      expected[e.target + i / e.columns * e.pitch + i % e.columns] =
          Pitched<T>::encode(params[e.first + i] * e.scale);
  device.write(Buffer::Params, params);
  device.write(Buffer::FoldTable, foldTable(entries));
  device.write(Buffer::Weights, layout.gaps());
  device.run({foldLaunch(type, rows, segments)});
  auto data = device.read<T>(Buffer::Weights, layout.size());
  bool good =
      std::memcmp(data.data(), expected.data(), data.size() * sizeof(T)) == 0;
  failed |= !good;
  std::printf("%s fold_factors %zu-byte elements, %d segments, %lld rows\n",
              good ? "ok  " : "FAIL", sizeof(T), segments, (long long)rows);
}

std::vector<Case> cases(bool small) {
  constexpr auto B = LibraryType::BF16, F = LibraryType::F32;
  std::vector<Case> all = {
      {B, 64, 4, 2, {5, 0, 17, 1, 30}, 9, 8, 128},
      {B, 128, 4, 1, {12, 9, 0, 23, 40}, 12, 0, 128},
      {B, 64, 4, 2, {70, 1, 0, 65}, 7, 8, 512},
      {B, 128, 2, 2, {64, 3, 0, 90}, 70, 16, 512},
      {F, 20, 4, 2, {33, 0, 1, 40}, 6, 3, 512},
      {B, 40, 3, 3, {33, 0, 1}, 6, 2, 128},
  };
  if (small)
    return all;
  std::vector<Case> more = {
      {B, 128, 32, 8, {12, 15, 9, 14, 12, 20, 11, 7}, 28, 0, 128},
      {B, 128, 8, 1, {128, 0, 127, 65, 1}, 5, 8, 128},
      {B, 64, 8, 1, {128, 100, 0, 3}, 0, 0, 128},
      {B, 64, 24, 8, {33, 128, 16, 17, 0}, 90, 8, 128},
      {B, 128, 6, 2, {64, 63, 1}, 300, 8, 128},
      {B, 128, 8, 2, {300, 129, 0, 127, 1, 128, 256}, 200, 8, 2048},
      {B, 128, 4, 4, {700}, 0, 0, 2048},
      {B, 64, 8, 1, {513, 0, 0, 191}, 64, 24, 2048},
      {B, 64, 6, 2, {385, 1, 2, 3}, 1, 0, 2048},
      {B, 96, 4, 2, {130, 40}, 3, 0, 2048},
      {F, 64, 8, 2, {200, 1, 0, 77}, 30, 0, 2048},
      {F, 128, 8, 8, {12, 15, 9, 14}, 14, 5, 128},
      {F, 256, 2, 1, {90, 0, 35}, 2, 1, 128},
  };
  // More sequences than a warp has lanes.
  Case many{B, 64, 2, 1, {}, 33, 0, 128};
  for (int i = 0; i < 75; ++i)
    many.lengths.push_back(i * 7 % 20);
  more.push_back(many);
  many.type = F;
  more.push_back(many);
  many.type = B;
  many.maxLength = 2048;
  more.push_back(many);
  std::uniform_int_distribution<int> pick(0, 400);
  for (int i = 0; i < 4; ++i) {
    Case c{B, i % 2 ? 64 : 128, 4, 2, {}, pick(generator), 8, 2048};
    for (int s = 0; s < 5; ++s)
      c.lengths.push_back(pick(generator));
    more.push_back(c);
  }
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

} // namespace

int main(int argc, char **argv) {
  bool ptx = false, small = false;
  for (int i = 1; i < argc; ++i) {
    ptx |= std::string(argv[i]) == "--ptx";
    small |= std::string(argv[i]) == "--small";
  }
  try {
    gpu::KernelDevice device(ptx);
    for (int segments : {1, 2, 33, small ? 40 : 1500}) {
      fold<uint16_t>(device, LibraryType::BF16, segments);
      fold<float>(device, LibraryType::F32, segments);
    }
    for (auto variant : {AttentionVariant::Tiled, AttentionVariant::Short,
                         AttentionVariant::Hopper})
      for (Case c : cases(small)) {
        c.variant = variant;
        bool tiles = c.type == LibraryType::BF16 &&
                     (c.headDim == 64 || c.headDim == 128);
        bool tooLong = variant == AttentionVariant::Short && c.maxLength > 128;
        if (c.type == LibraryType::F32 && variant == AttentionVariant::Tiled)
          Run<float>(device, c, ptx).both();
        else if (c.type == LibraryType::BF16 &&
                 (variant == AttentionVariant::Tiled ||
                  (tiles && !ptx && !tooLong)))
          Run<uint16_t>(device, c, ptx).both();
      }
  } catch (const std::exception &error) {
    std::printf("FAIL %s\n", error.what());
    return 1;
  }
  std::printf("%s\n", failed ? "FAILED" : "all passed");
  return failed;
}
