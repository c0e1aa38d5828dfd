// Launches of skinny products: when there is one, its grid and its operands.
#include "compiler/kernels/SkinnyGemm.h"

#include <gtest/gtest.h>

using namespace llamac;

namespace {

constexpr kernels::SkinnyTile kTile{16, 32, 8, 4};

TEST(SkinnyGemm, LaunchOfATile) {
  auto launch = skinnyGemmLaunch(100, 72, 4096, true, 4160, 4104, 4102, "sm_90",
                                 false, kTile);
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->module, "skinny_gemm");
  EXPECT_EQ(launch->symbol, "skinny_gemm_nt_16x32_8x4");
  EXPECT_EQ(launch->grid, (std::array<uint32_t, 3>{8, 7, 3}));
  EXPECT_EQ(launch->block, (std::array<uint32_t, 3>{256, 1, 1}));
  // One chunk a warp: 8 x (16 + 32) x 64 bf16, and the sums.
  EXPECT_EQ(launch->sharedBytes, 8u * 48 * 128 + 2048);
  EXPECT_EQ(launch->reads, (std::vector<LibraryBuffer>{LibraryBuffer::GemmA,
                                                       LibraryBuffer::GemmB}));
  EXPECT_EQ(launch->writes, (std::vector<LibraryBuffer>{LibraryBuffer::GemmD}));
  EXPECT_EQ(launch->scalars,
            (std::vector<int64_t>{100, 72, 4096, 4160, 4104, 4102}));
  auto longer = skinnyGemmLaunch(100, 72, 28672, false, 28672, 4160, 4102,
                                 "sm_90a", false, kTile);
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->symbol, "skinny_gemm_nn_16x32_8x4");
  EXPECT_EQ(longer->sharedBytes, 4u * 8 * 48 * 128 + 2048); // all four stages
}

TEST(SkinnyGemm, ShapesThatDoNotSuit) {
  auto none = [](int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb,
                 int64_t ldd, std::string_view arch = "sm_90",
                 bool ptx = false) {
    return !skinnyGemmLaunch(m, n, k, true, lda, ldb, ldd, arch, ptx, kTile);
  };
  EXPECT_FALSE(none(96, 64, 4096, 4096, 4096, 64));
  EXPECT_TRUE(none(96, 64, 4096, 4096, 4096, 64, "sm_90", true));
  EXPECT_TRUE(none(96, 64, 4096, 4096, 4096, 64, "sm_80"));
  EXPECT_TRUE(none(96, 136, 4096, 4096, 4096, 136));
  EXPECT_TRUE(none(96, 60, 4096, 4096, 4096, 64));
  EXPECT_TRUE(none(96, 64, 4100, 4104, 4104, 64));
  EXPECT_TRUE(none(96, 64, 4096, 4100, 4096, 64));
  EXPECT_TRUE(none(96, 64, 4096, 4096, 4100, 64));
  EXPECT_TRUE(none(96, 64, 4096, 4096, 4096, 65));
  EXPECT_TRUE(none(0, 64, 4096, 4096, 4096, 64));
}

TEST(SkinnyGemm, TheSmallestTileThatRunsAtOnce) {
  if (!libraryCode("skinny_gemm", "sm_90", false))
    GTEST_SKIP() << "built without nvcc";
  auto tile = [](int64_t m, int64_t n, int64_t k) {
    return skinnyGemmLaunch(m, n, k, false, k, n, n, "sm_90", false)
        ->symbol.substr(15);
  };
  EXPECT_EQ(tile(8, 64, 4096), "16x32_4x4");
  EXPECT_EQ(tile(112, 64, 6144), "16x32_4x4");
  EXPECT_EQ(tile(112, 64, 28672), "16x32_8x4");
  EXPECT_EQ(tile(113, 64, 4096), "32x32_4x3");
  EXPECT_EQ(tile(224, 64, 14336), "32x32_8x3");
  EXPECT_EQ(tile(96, 128, 4096), "32x32_4x3");
  EXPECT_EQ(tile(256, 64, 14336), "32x64_4x4");
  EXPECT_EQ(tile(512, 64, 4096), "64x64_4x3");
  EXPECT_EQ(tile(1024, 64, 4096), "64x64_2x3");
}

TEST(SkinnyGemm, ManyRowsAreLeftToCublas) {
  EXPECT_FALSE(
      skinnyGemmLaunch(8192, 64, 4096, true, 4096, 4096, 64, "sm_90", false));
}

/// Every tile has code, and the choice is one of the tiles.
TEST(SkinnyGemm, CodeHasEveryTile) {
  auto code = libraryCode("skinny_gemm", "sm_90", false);
  if (!code)
    GTEST_SKIP() << "built without nvcc";
  auto has = [&](const std::optional<LibraryLaunch> &launch) {
    return launch && code->find(launch->symbol) != std::string_view::npos;
  };
  for (bool transposeB : {true, false}) {
    for (const kernels::SkinnyTile &tile : skinnyGemmTiles())
      EXPECT_TRUE(has(skinnyGemmLaunch(96, 64, 4096, transposeB, 4096, 4096, 64,
                                       "sm_90", false, tile)))
          << tile.rows << "x" << tile.columns;
    for (int64_t m : {1, 8, 64, 96, 128, 192, 256, 512})
      for (int64_t k : {64, 4096, 14336, 28672})
        EXPECT_TRUE(has(
            skinnyGemmLaunch(m, 64, k, transposeB, k, k, 64, "sm_90", false)))
            << m << " rows";
  }
}

} // namespace
