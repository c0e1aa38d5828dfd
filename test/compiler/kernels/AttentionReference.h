//===- AttentionReference.h - Attention in plain float64 loops --*- C++ -*-===//
//
// What the kernels of compiler/kernels are compared with: the formulas, one
// element after another, dense row-major matrices without pitches.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace llamac::reference {

using Matrix = std::vector<double>;

/// Packed causal attention: q, out [T, heads * headDim], k, v [T, kvHeads *
/// headDim], lse [T, heads]. Sequence s is rows cuSeqlens[s] ..
/// cuSeqlens[s + 1]; T = tokens; rows past the last sequence are 0.
struct Attention {
  int64_t headDim, heads, kvHeads, tokens;
  std::vector<int32_t> cuSeqlens;
  double scale;

  void forward(const Matrix &q, const Matrix &k, const Matrix &v, Matrix &out,
               Matrix &lse) const {
    out.assign(tokens * heads * headDim, 0);
    lse.assign(tokens * heads, 0);
    std::vector<double> s;
    eachRow([&](int64_t start, int64_t i, int64_t h, int64_t g) {
      double high = -INFINITY, sum = 0;
      s.clear();
      for (int64_t j = start; j <= i; ++j) {
        s.push_back(scale * dot(q, i, h, heads, k, j, g, kvHeads));
        high = std::max(high, s.back());
      }
      for (double &x : s)
        sum += x = std::exp(x - high);
      for (int64_t j = start; j <= i; ++j)
        add(out, i, h, heads, s[j - start] / sum, v, j, g, kvHeads);
      lse[i * heads + h] = high + std::log(sum);
    });
  }

  /// `out` and `lse` are inputs here too, as they are for the kernels.
  void backward(const Matrix &q, const Matrix &k, const Matrix &v,
                const Matrix &out, const Matrix &lse, const Matrix &dout,
                Matrix &dq, Matrix &dk, Matrix &dv) const {
    dq.assign(tokens * heads * headDim, 0);
    dk.assign(tokens * kvHeads * headDim, 0);
    dv = dk;
    eachRow([&](int64_t start, int64_t i, int64_t h, int64_t g) {
      double delta = dot(dout, i, h, heads, out, i, h, heads);
      for (int64_t j = start; j <= i; ++j) {
        double p = std::exp(scale * dot(q, i, h, heads, k, j, g, kvHeads) -
                            lse[i * heads + h]);
        double ds =
            scale * p * (dot(dout, i, h, heads, v, j, g, kvHeads) - delta);
        add(dq, i, h, heads, ds, k, j, g, kvHeads);
        add(dk, j, g, kvHeads, ds, q, i, h, heads);
        add(dv, j, g, kvHeads, p, dout, i, h, heads);
      }
    });
  }

private:
  /// body(first row of the sequence, row, head, its key head).
  template <typename Body> void eachRow(Body body) const {
    for (size_t s = 0; s + 1 < cuSeqlens.size(); ++s)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = cuSeqlens[s]; i < cuSeqlens[s + 1]; ++i)
          body(int64_t(cuSeqlens[s]), i, h, h / (heads / kvHeads));
  }
  double dot(const Matrix &a, int64_t i, int64_t ha, int64_t headsA,
             const Matrix &b, int64_t j, int64_t hb, int64_t headsB) const {
    const double *x = &a[(i * headsA + ha) * headDim];
    const double *y = &b[(j * headsB + hb) * headDim];
    double sum = 0;
    for (int64_t d = 0; d < headDim; ++d)
      sum += x[d] * y[d];
    return sum;
  }
  void add(Matrix &a, int64_t i, int64_t ha, int64_t headsA, double weight,
           const Matrix &b, int64_t j, int64_t hb, int64_t headsB) const {
    double *x = &a[(i * headsA + ha) * headDim];
    const double *y = &b[(j * headsB + hb) * headDim];
    for (int64_t d = 0; d < headDim; ++d)
      x[d] += weight * y[d];
  }
};

} // namespace llamac::reference
