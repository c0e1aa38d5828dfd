// The reference that the GPU test compares with, against what is known of it.
#include "test/compiler/kernels/AttentionReference.h"

#include <gtest/gtest.h>

#include <random>

using namespace llamac::reference;

namespace {

struct Batch {
  Attention attention{8, 4, 2, 13, {0, 5, 5, 6, 11}, 0.4};
  Matrix q, k, v, dout;

  Batch() {
    std::mt19937 generator(7);
    std::normal_distribution<double> normal;
    for (Matrix *m : {&q, &k, &v, &dout}) {
      bool wide = m == &q || m == &dout;
      m->resize(13 * (wide ? 4 : 2) * 8);
      for (double &x : *m)
        x = normal(generator);
    }
  }
  /// sum of dout * out: its gradients are what backward computes.
  double loss() const {
    Matrix out, lse;
    attention.forward(q, k, v, out, lse);
    double sum = 0;
    for (size_t i = 0; i < out.size(); ++i)
      sum += out[i] * dout[i];
    return sum;
  }
};

TEST(AttentionReference, FirstTokensSeeThemselvesAlone) {
  Batch b;
  Matrix out, lse;
  b.attention.forward(b.q, b.k, b.v, out, lse);
  for (int row : {0, 5, 6})
    for (int head = 0; head < 4; ++head) {
      for (int d = 0; d < 8; ++d)
        EXPECT_NEAR(out[(row * 4 + head) * 8 + d],
                    b.v[(row * 2 + head / 2) * 8 + d], 1e-12);
      double s = 0;
      for (int d = 0; d < 8; ++d)
        s += 0.4 * b.q[(row * 4 + head) * 8 + d] *
             b.k[(row * 2 + head / 2) * 8 + d];
      EXPECT_NEAR(lse[row * 4 + head], s, 1e-12);
    }
  for (size_t i = 11 * 32; i < out.size(); ++i)
    EXPECT_EQ(out[i], 0);
}

TEST(AttentionReference, GradientsAreDifferenceQuotients) {
  Batch b;
  Matrix out, lse, dq, dk, dv;
  b.attention.forward(b.q, b.k, b.v, out, lse);
  b.attention.backward(b.q, b.k, b.v, out, lse, b.dout, dq, dk, dv);
  auto check = [&](Matrix &x, const Matrix &gradient) {
    for (size_t i = 0; i < x.size(); i += 5) {
      double kept = x[i], h = 1e-5;
      x[i] = kept + h;
      double above = b.loss();
      x[i] = kept - h;
      double below = b.loss();
      x[i] = kept;
      EXPECT_NEAR(gradient[i], (above - below) / (2 * h), 1e-7) << i;
    }
  };
  check(b.q, dq);
  check(b.k, dk);
  check(b.v, dv);
}

} // namespace
