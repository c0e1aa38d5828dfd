#include "compiler/kernels/SkinnyGemm.h"

namespace llamac {
namespace {

using kernels::SkinnyTile;

// SkinnyGemm.cu has the same list. Of two that differ in warps, the one with
// fewer is for short K, where all that more warps do is wait for each other.
constexpr SkinnyTile kTiles[] = {{16, 32, 4, 4}, {16, 32, 8, 4}, {32, 32, 4, 3},
                                 {32, 32, 8, 3}, {32, 64, 4, 4}, {64, 64, 4, 3},
                                 {64, 64, 2, 3}};
constexpr int64_t kLong = 8192; // a long K
constexpr int64_t kMaxRows = 1024;
// Clusters that an H200 runs at once where a multiprocessor takes one block:
// 14 did, 16 did not. Two blocks of the last tile fit.
constexpr int64_t kAtOnce = 14;

/// The smallest tile whose clusters all run at once: the more clusters, the
/// more multiprocessors read. Measured on an H200 for M 8 to 1024 and K 4096 to
/// 28672 (bench/results/2026-11-22-h200-skinny.md).
SkinnyTile fastestTile(int64_t m, int64_t n, int64_t k) {
  auto fits = [&](int64_t rows, int64_t columns) {
    return ((m + rows - 1) / rows) * ((n + columns - 1) / columns) <= kAtOnce;
  };
  bool isLong = k > kLong;
  if (fits(16, 32))
    return kTiles[isLong ? 1 : 0];
  if (fits(32, 32))
    return kTiles[isLong ? 3 : 2];
  if (fits(32, 64))
    return kTiles[4];
  return kTiles[fits(64, 64) ? 5 : 6];
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
