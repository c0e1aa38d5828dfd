// Which block, warp and thread does what of a skinny product.
#include "compiler/kernels/SkinnyGemm.h"

#include <gtest/gtest.h>

#include <set>

using namespace llamac;
using namespace llamac::kernels;

namespace {

TEST(SkinnyGemmPlace, EveryChunkBelongsToOneWarp) {
  for (int64_t k = 8; k < 64 * 200; k += 8)
    for (int warps : {4, 8}) {
      std::vector<int> done(skinnyChunks(k), 0);
      for (int rank = 0; rank < kSkinnyCluster; ++rank) {
        SkinnyRange range = skinnyRange(k, rank);
        ASSERT_LE(range.first, range.end);
        for (int warp = 0; warp < warps; ++warp) {
          int rounds = skinnyRounds(range, warp, warps);
          // What the host leaves room for.
          ASSERT_LE(rounds, (skinnyChunksPerBlock(k) + warps - 1) / warps);
          for (int round = 0; round < rounds; ++round) {
            int chunk = range.first + warp + round * warps;
            ASSERT_LT(chunk, range.end);
            ++done[chunk];
          }
        }
      }
      for (int count : done)
        ASSERT_EQ(count, 1) << "K " << k;
      ASSERT_GE(int64_t(done.size()) * kSkinnyChunk, k);
      ASSERT_LT(int64_t(done.size() - 1) * kSkinnyChunk, k);
    }
}

/// The pairs of a tile are its elements, each once, where mma leaves them.
TEST(SkinnyGemmPlace, PairsCoverTheTile) {
  for (const SkinnyTile &tile : skinnyGemmTiles()) {
    std::set<std::pair<int, int>> seen;
    for (int pair = 0; pair < skinnyPairs(tile.rows, tile.columns); ++pair) {
      SkinnyPair at = skinnyPair(pair, tile.columns);
      ASSERT_TRUE(at.row >= 0 && at.row < tile.rows);
      ASSERT_TRUE(at.column >= 0 && at.column + 1 < tile.columns);
      ASSERT_EQ(at.column % 2, 0);
      ASSERT_TRUE(seen.insert({at.row, at.column}).second);
      int lane = pair % 32, half = pair / 32 % 2, fragment = pair / 64;
      EXPECT_EQ(at.row % 16, lane / 4 + 8 * half);
      EXPECT_EQ(at.column % 8, lane % 4 * 2);
      EXPECT_EQ(at.row / 16 * (tile.columns / 8) + at.column / 8, fragment);
    }
    EXPECT_EQ(skinnyShare(tile.rows, tile.columns) * kSkinnyCluster,
              skinnyPairs(tile.rows, tile.columns));
    // A warp's sums lie over its first stage.
    EXPECT_LE(tile.rows * tile.columns * 4,
              (tile.rows + tile.columns) * kSkinnyChunk * 2);
    // A Hopper block has at most 227 KiB.
    EXPECT_LE(skinnySharedBytes(tile, 1 << 20), 227 * 1024);
  }
}

template <int Chunks> void expectNoConflicts(int rows) {
  std::set<uint32_t> seen;
  for (int row = 0; row < rows; ++row)
    for (int chunk = 0; chunk < Chunks; ++chunk) {
      uint32_t offset = skinnyOffset<Chunks>(row, chunk);
      ASSERT_EQ(offset % 16, 0u);
      ASSERT_LT(offset, uint32_t(rows * Chunks * 16));
      ASSERT_TRUE(seen.insert(offset).second);
    }
  for (int row = 0; row < rows; row += 8) // a matrix of ldmatrix
    for (int chunk = 0; chunk < Chunks; ++chunk) {
      std::set<uint32_t> banks;
      for (int i = 0; i < 8; ++i)
        banks.insert(skinnyOffset<Chunks>(row + i, chunk) / 16 % 8);
      EXPECT_EQ(banks.size(), 8u) << Chunks << " chunks, row " << row;
    }
}

TEST(SkinnyGemmPlace, EightRowsMeetEightBanks) {
  expectNoConflicts<1>(64);
  expectNoConflicts<2>(64);
  expectNoConflicts<4>(64);
  expectNoConflicts<8>(64);
}

} // namespace
