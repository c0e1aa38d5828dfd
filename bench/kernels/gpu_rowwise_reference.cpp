//===- gpu_rowwise_reference.cpp - Row kernels in plain C++ ---------------===//
#include "bench/kernels/gpu_rowwise_reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

namespace llamarun::bench {

double roundToBf16(double value) {
  auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  bits += 0x7fff + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xffff0000u);
}

namespace {

double rounded(const RowCase &c, double value) {
  return c.bf16 ? roundToBf16(value) : value;
}

std::vector<double> rowOf(const RowCase &c, unsigned input) {
  std::vector<double> values(c.cols);
  for (std::uint64_t i = 0; i < c.cols; ++i)
    values[i] = c.in[input](c.row * c.cols + i);
  return values;
}

double inverseRms(const std::vector<double> &x) {
  double sum = 0;
  for (double v : x)
    sum += v * v;
  return 1 / std::sqrt(sum / x.size() + 1e-5);
}

std::vector<RowResult> addNorm(const RowCase &c) {
  auto x = rowOf(c, 0), y = rowOf(c, 1), out = x;
  for (std::uint64_t i = 0; i < c.cols; ++i)
    x[i] = rounded(c, x[i] + y[i]);
  double r = inverseRms(x);
  for (std::uint64_t i = 0; i < c.cols; ++i)
    out[i] = rounded(c, c.in[2](i) * (x[i] * r));
  return {{c.row * c.cols, x}, {c.row * c.cols, out}};
}

std::vector<RowResult> normGradAdd(const RowCase &c) {
  auto x = rowOf(c, 0), dy = rowOf(c, 2), add = rowOf(c, 3), out = x, sizes = x;
  double r = inverseRms(x), dot = 0;
  for (std::uint64_t i = 0; i < c.cols; ++i)
    dot += c.in[1](i) * dy[i] * x[i];
  for (std::uint64_t i = 0; i < c.cols; ++i) {
    double g = r * c.in[1](i) * dy[i] - x[i] * (dot / c.cols * r * r * r);
    out[i] = rounded(c, rounded(c, g) + add[i]);
    sizes[i] = std::abs(g) + std::abs(add[i]);
  }
  return {{c.row * c.cols, out, sizes}};
}

std::vector<RowResult> swiglu(const RowCase &c) {
  auto gate = rowOf(c, 0), up = rowOf(c, 1);
  for (std::uint64_t i = 0; i < c.cols; ++i)
    up[i] = rounded(c, gate[i] / (1 + std::exp(-gate[i])) * up[i]);
  return {{c.row * c.cols, up}};
}

std::vector<RowResult> swigluGrad(const RowCase &c) {
  auto gate = rowOf(c, 0), up = rowOf(c, 1), dy = rowOf(c, 2);
  for (std::uint64_t i = 0; i < c.cols; ++i) {
    double g = gate[i], s = 1 / (1 + std::exp(-g));
    gate[i] = rounded(c, dy[i] * up[i] * (s * (1 + g * (1 - s))));
    up[i] = rounded(c, dy[i] * g * s);
  }
  return {{c.row * c.cols, gate}, {c.row * c.cols, up}};
}

std::vector<RowResult> gather(const RowCase &c) {
  auto index = static_cast<std::int64_t>(c.in[0](c.row));
  std::vector<double> out(c.cols);
  for (std::uint64_t i = 0; i < c.cols; ++i)
    out[i] = index < 0 ? 0 : c.in[1](index * c.cols + i);
  return {{c.row * c.cols, out}};
}

/// All heads of one token; `width` columns of x, from column `from`.
std::vector<RowResult> ropeFrom(const RowCase &c, std::uint64_t width,
                                std::uint64_t from) {
  std::vector<double> out(c.cols), sizes(c.cols);
  for (std::uint64_t i = 0; i < c.cols; ++i)
    out[i] = c.in[0](c.row * width + from + i);
  for (unsigned time = 0; time < c.times; ++time)
    for (std::uint64_t head = 0; head < c.cols; head += 128)
      for (std::uint64_t i = 0; i < 64; ++i) {
        double lo = out[head + i], hi = out[head + i + 64];
        double cos = c.in[1](c.row * 64 + i), sin = c.in[2](c.row * 64 + i);
        out[head + i] = rounded(c, lo * cos - hi * sin);
        out[head + i + 64] = rounded(c, hi * cos + lo * sin);
        // Every time is rounded.
        double size =
            (std::abs(lo) + std::abs(hi)) * (std::abs(cos) + std::abs(sin));
        sizes[head + i] += size, sizes[head + i + 64] += size;
      }
  return {{c.row * c.cols, out, sizes}};
}
std::vector<RowResult> rope(const RowCase &c) {
  RowCase once = c;
  once.times = 1;
  return ropeFrom(once, c.cols, 0);
}
std::vector<RowResult> ropeInPlace(const RowCase &c) {
  return ropeFrom(c, c.cols, 0);
}
std::vector<RowResult> ropeSplit(const RowCase &c) {
  RowCase once = c;
  once.times = 1;
  return ropeFrom(once, 6144, 4096);
}

/// Largest element, and sum of exponentials below it.
std::pair<double, double> softmaxParts(const std::vector<double> &z) {
  double max = *std::max_element(z.begin(), z.end()), sum = 0;
  for (double v : z)
    sum += std::exp(v - max);
  return {max, sum};
}

std::vector<RowResult> crossEntropy(const RowCase &c) {
  auto z = rowOf(c, 0);
  auto label = static_cast<std::int64_t>(c.in[1](c.row));
  auto [max, sum] = softmaxParts(z);
  double loss = label < 0 ? 0 : (max + std::log(sum) - z[label]) * c.in[2](0);
  return {{c.row, {loss}}};
}

std::vector<RowResult> crossEntropyGrad(const RowCase &c) {
  auto z = rowOf(c, 0);
  auto label = static_cast<std::int64_t>(c.in[1](c.row));
  auto [max, sum] = softmaxParts(z);
  for (std::uint64_t i = 0; i < c.cols; ++i) {
    double p = std::exp(z[i] - max) / sum;
    double hit = static_cast<std::int64_t>(i) == label ? 1 : 0;
    z[i] = label < 0 ? 0 : rounded(c, c.in[2](0) * c.in[3](0) * (p - hit));
  }
  return {{c.row * c.cols, z}};
}

std::vector<RowResult> softmaxStats(const RowCase &c) {
  auto z = rowOf(c, 0);
  auto label = static_cast<std::int64_t>(c.in[1](c.row));
  auto [max, sum] = softmaxParts(z);
  return {{c.row * 3, {max, sum, label < 0 ? 0 : z[label]}}};
}

/// The part is the whole row.
std::vector<RowResult> crossEntropyPartsGrad(const RowCase &c) {
  auto z = rowOf(c, 0);
  double lse = c.in[1](c.row * 2);
  auto label = static_cast<std::int64_t>(c.in[2](c.row));
  for (std::uint64_t i = 0; i < c.cols; ++i) {
    double hit = static_cast<std::int64_t>(i) == label ? 1 : 0;
    z[i] = label < 0 ? 0
                     : rounded(c, c.in[3](0) * c.in[4](0) *
                                      (std::exp(z[i] - lse) - hit));
  }
  return {{c.row * c.cols, z}};
}

std::vector<RowResult> gradNormRows(const RowCase &c) {
  double sum = 0;
  for (double v : rowOf(c, 0))
    sum += v * v;
  return {{c.row, {sum}}};
}

/// The columns are those of the input.
std::vector<RowResult> total(const RowCase &c) {
  double sum = 0;
  for (std::uint64_t i = 0; i < c.rows; ++i)
    sum += c.in[0](i);
  return {{0, {sum}}};
}

std::vector<RowResult> adamw(const RowCase &c) {
  auto p = rowOf(c, 0), g = rowOf(c, 1), m = rowOf(c, 2), v = rowOf(c, 3);
  double k[8];
  for (int i = 0; i < 8; ++i)
    k[i] = c.in[4](i);
  for (unsigned time = 0; time < c.times; ++time)
    for (std::uint64_t i = 0; i < c.cols; ++i) {
      double clipped = g[i] * k[0];
      m[i] += k[2] * (clipped - m[i]);
      v[i] = v[i] * k[3] + k[4] * clipped * clipped;
      p[i] = p[i] * k[1] - k[5] * (m[i] / (std::sqrt(v[i]) / k[6] + k[7]));
    }
  std::uint64_t first = c.row * c.cols;
  return {{first, p}, {first, m}, {first, v}};
}

} // namespace

Reference findReference(const std::string &name) {
  static const std::map<std::string, Reference> references = {
      {"add_norm", addNorm},
      {"add_norm_f32", addNorm},
      {"norm_grad_add", normGradAdd},
      {"norm_grad_add_f32", normGradAdd},
      {"swiglu", swiglu},
      {"swiglu_f32", swiglu},
      {"swiglu_grad", swigluGrad},
      {"swiglu_grad_f32", swigluGrad},
      {"gather", gather},
      {"scatter", gather},
      {"rope", rope},
      {"rope_in_place", ropeInPlace},
      {"rope_split", ropeSplit},
      {"cross_entropy", crossEntropy},
      {"cross_entropy_grad", crossEntropyGrad},
      {"softmax_stats", softmaxStats},
      {"cross_entropy_parts_grad", crossEntropyPartsGrad},
      {"grad_norm_rows", gradNormRows},
      {"total", total},
      {"adamw", adamw}};
  auto it = references.find(name);
  return it == references.end() ? nullptr : it->second;
}

} // namespace llamarun::bench
