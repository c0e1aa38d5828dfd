//===- FactorGradients.h - How to launch factor_gradients -------*- C++ -*-===//
//
// Gradients of the adapter factors of one group of layers in one launch. See
// compiler/kernels/FactorGradients.cu.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/LibraryKernels.h"

#include <optional>
#include <span>
#include <string_view>

namespace llamac {

/// out[n, c] = alpha * sum over tokens t of Y[t, n] S[t, c]: Y bf16
/// [tokens, n], S bf16 [tokens, rank], out f32 [n, rank] (the gradient of B:
/// Y = dy, S = t) or, `transposed`, [rank, n] (that of A: Y = x, S = dt). ldy,
/// lds and ldd are elements from row to row.
struct FactorProblem {
  int64_t n, rank, ldy, lds, ldd;
  bool transposed;
  float alpha;
};

/// The launch of 1 to 4 problems over the same tokens. Its `reads` and `writes`
/// are empty, for no LibraryBuffer names so many: pass Y0, S0, Y1, S1, ...,
/// then out0, out1, ..., all 16-byte aligned; outs must not overlap each other
/// or an operand. Every element of each out is written, nothing else; equal
/// inputs give equal bytes.
///
/// None if a shape does not suit: tokens over 1024, rank over 64, n, rank, ldy
/// or lds no multiple of 8, ldd none of 4, a pitch less than a row; none if
/// there is no code for `arch` and `ptx` (see libraryCode).
std::optional<LibraryLaunch>
factorGradientsLaunch(int64_t tokens, std::span<const FactorProblem> problems,
                      std::string_view arch, bool ptx);

} // namespace llamac
