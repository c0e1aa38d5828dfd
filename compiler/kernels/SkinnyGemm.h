//===- SkinnyGemm.h - When and how to launch skinny_gemm --------*- C++ -*-===//
//
// Matrix products with a small result and a long K, which adapters need and
// cuBLASLt is slow at. See compiler/kernels/SkinnyGemm.cu.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/LibraryKernels.h"
#include "compiler/kernels/SkinnyGemmPlace.h"

#include <optional>
#include <span>
#include <string_view>

namespace llamac {

/// The tiles that there is code for.
std::span<const kernels::SkinnyTile> skinnyGemmTiles();

/// The launch of D[m,n] = A[m,k] B in bf16 with f32 sums; B is stored [n,k] if
/// `transposeB`, else [k,n]; lda, ldb and ldd are elements from row to row.
/// Reads GemmA and GemmB, writes GemmD; scalars m, n, k, lda, ldb, ldd. The
/// launch is in clusters, which the code itself says. Buffers must begin at
/// multiples of 16 bytes (A, B) and 4 bytes (D). B must not be written by the
/// launch right before: it is prefetched ahead of time (harmless, but wasted).
///
/// None where cuBLASLt is as fast or faster, where the shape does not suit (n,
/// k, lda and ldb multiples of 8, ldd even, n <= 128), or where `arch` and
/// `ptx` (see libraryCode) give no thread block clusters. `tile` is for tests
/// and benches: that tile, whatever is fastest.
std::optional<LibraryLaunch>
skinnyGemmLaunch(int64_t m, int64_t n, int64_t k, bool transposeB, int64_t lda,
                 int64_t ldb, int64_t ldd, std::string_view arch, bool ptx,
                 std::optional<kernels::SkinnyTile> tile = std::nullopt);

} // namespace llamac
