//===- Blas.h - A BLAS found at run time -----------------------*- C++ -*-===//
#pragma once

#include <string>

namespace llamarun {

/// cblas_sgemm of a shared library that is loaded when a CPU device is made.
/// The library runs single-threaded: the device splits the work itself, so that
/// the split, and with it every bit of the result, depends on shapes alone.
class Blas {
public:
  /// Loads $LLAMAC_BLAS if set, else libopenblas.so.0, else libblas.so.3.
  /// \throws Error(BadInput) that names the package to install.
  Blas();
  ~Blas();
  Blas(const Blas &) = delete;
  Blas &operator=(const Blas &) = delete;

  /// Row-major C = alpha op(A) op(B) + beta C; may be called from several
  /// threads at once.
  void sgemm(bool transposeA, bool transposeB, int m, int n, int k, float alpha,
             const float *a, int lda, const float *b, int ldb, float beta,
             float *c, int ldc) const;

  /// "OpenBLAS 0.3.21 Cooperlake" or the library's file name.
  const std::string &name() const { return description; }

private:
  void *library = nullptr;
  void (*function)(int order, int transA, int transB, int m, int n, int k,
                   float alpha, const float *a, int lda, const float *b,
                   int ldb, float beta, float *c, int ldc) = nullptr;
  std::string description;
};

} // namespace llamarun
