// Which rows the attention kernels' blocks do, for any lengths.
#include "compiler/kernels/AttentionPlace.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

using namespace llamac::kernels;

namespace {

void expectEveryRowOnce(const std::vector<int> &lengths, int padding,
                        int rows) {
  std::vector<int32_t> cu{0};
  for (int length : lengths)
    cu.push_back(cu.back() + length);
  int tokens = cu.back() + padding, sequences = int(lengths.size());
  std::vector<int> done(tokens, 0);
  for (int slot = 0; slot < slotCount(tokens, sequences, rows); ++slot) {
    Place place = placeOfSlot(cu.data(), sequences, tokens, rows, slot);
    ASSERT_GE(place.sequence, 0);
    ASSERT_LE(place.sequence, sequences);
    EXPECT_EQ(place.start, cu[place.sequence]);
    EXPECT_EQ(place.length,
              place.sequence == sequences ? padding : lengths[place.sequence]);
    EXPECT_GE(place.row, 0);
    EXPECT_EQ(place.row % rows, 0);
    for (int r = place.row; r < place.length && r < place.row + rows; ++r)
      ++done[place.start + r];
  }
  for (int row = 0; row < tokens; ++row)
    ASSERT_EQ(done[row], 1)
        << "row " << row << " of " << tokens << ", tiles of " << rows;
}

TEST(AttentionPlace, EveryRowBelongsToOneSlot) {
  std::mt19937 generator(1);
  for (int turn = 0; turn < 300; ++turn) {
    std::uniform_int_distribution<int> length(0, turn % 3 ? 40 : 400);
    std::vector<int> lengths(1 + turn % 70);
    for (int &l : lengths)
      l = generator() % 4 ? length(generator) : 0;
    for (int rows : {64, 128})
      expectEveryRowOnce(lengths, length(generator), rows);
  }
}

TEST(AttentionPlace, FullTilesAndNothing) {
  for (int rows : {64, 128}) {
    expectEveryRowOnce({rows, rows, rows}, 0, rows);
    expectEveryRowOnce({rows + 1, 0, rows - 1}, rows, rows);
    expectEveryRowOnce({0, 0, 0}, 1, rows);
    expectEveryRowOnce({1}, 0, rows);
  }
}

TEST(AttentionPlace, PackedRowsDivideExactly) {
  for (int group = 1; group <= 64; ++group) {
    PackedRows packed(group);
    for (int row = 0; row < 128 * group + 16; ++row) {
      ASSERT_EQ(packed.token(row), row / group) << row << " by " << group;
      ASSERT_EQ(packed.offset(row, 1000, 8),
                row / group * 1000 + row % group * 8);
    }
  }
}

TEST(AttentionPlace, KeyGroupsReachTheLastToken) {
  for (int group : {1, 3, 4, 7, 64})
    for (int length : {1, 15, 16, 17, 100, 128})
      for (int row = 0; row < length * group; row += 16) {
        int last = 0;
        for (int r = row; r < row + 16 && r < length * group; ++r)
          last = r / group;
        ASSERT_EQ(PackedRows(group).keyGroups(row, length), last / 16 + 1);
      }
}

} // namespace
