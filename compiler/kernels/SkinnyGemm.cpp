#include "compiler/kernels/SkinnyGemm.h"

namespace llamac {
namespace {

using kernels::SkinnyTile;

// SkinnyGemm.cu has the same list.
constexpr SkinnyTile kTiles[] = {{16, 32, 8, 4}, {16, 32, 4, 4}, {16, 64, 8, 2},
                                 {32, 32, 8, 3}, {32, 32, 4, 3}, {32, 64, 8, 2},
                                 {32, 64, 4, 4}, {32, 64, 4, 2}, {64, 64, 4, 3},
                                 {64, 64, 2, 3}};
constexpr int64_t kMaxRows = 1024; // beyond, cuBLASLt has enough to do

// Clusters of one block a multiprocessor that an H200 runs at once, safely.
constexpr int64_t kAtOnce = 12;

/// The smallest tile whose clusters all run at once, as measured on an H200:
/// bench/kernels/gpu_skinny.cpp.
SkinnyTile fastestTile(int64_t m, int64_t n, int64_t k) {
  bool brief = k <= 8192;
  auto fits = [&](int64_t rows, int64_t columns) {
    return ((m + rows - 1) / rows) * ((n + columns - 1) / columns) <= kAtOnce;
  };
  if (fits(16, 32))
    return {16, 32, brief ? 4 : 8, 4};
  if (fits(32, 32))
    return {32, 32, 8, 3};
  if (fits(32, 64))
    return {32, 64, brief ? 4 : 8, brief ? 4 : 2};
  return {64, 64, 4, 3};
}

} // namespace

std::span<const SkinnyTile> skinnyGemmTiles() { return kTiles; }

std::optional<LibraryLaunch> skinnyGemmLaunch(int64_t m, int64_t n, int64_t k,
                                              bool transposeB, int64_t lda,
                                              int64_t ldb, int64_t ldd,
                                              std::string_view arch, bool ptx,
                                              std::optional<SkinnyTile> tile) {
  bool suits = m > 0 && n > 0 && n <= 128 && k > 0 && k < (int64_t(1) << 24) &&
               (n | k | lda | ldb) % 8 == 0 && ldd % 2 == 0;
  if (!suits || ptx || (arch != "sm_90" && arch != "sm_90a"))
    return std::nullopt;
  if (!tile) {
    if (m > kMaxRows || !libraryCode("skinny_gemm", arch, ptx))
      return std::nullopt;
    tile = fastestTile(m, n, k);
  }
  auto blocks = [](int64_t size, int64_t part) {
    return uint32_t((size + part - 1) / part);
  };
  std::string symbol = "skinny_gemm_";
  symbol += transposeB ? "nt_" : "nn_";
  symbol += std::to_string(tile->rows) + "x" + std::to_string(tile->columns) +
            "_" + std::to_string(tile->warps) + "x" +
            std::to_string(tile->stages);
  return LibraryLaunch{"skinny_gemm",
                       symbol,
                       {kernels::kSkinnyCluster, blocks(m, tile->rows),
                        blocks(n, tile->columns)},
                       {uint32_t(32 * tile->warps), 1, 1},
                       uint32_t(kernels::skinnySharedBytes(*tile, k)),
                       {LibraryBuffer::GemmA, LibraryBuffer::GemmB},
                       {LibraryBuffer::GemmD},
                       {m, n, k, lda, ldb, ldd}};
}

} // namespace llamac
