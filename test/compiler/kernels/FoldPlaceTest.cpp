// The search and the places of fold_factors, lane by lane as the kernel does.
#include "compiler/kernels/FoldPlace.h"
#include "compiler/kernels/LibraryKernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

using namespace llamac;
using namespace llamac::kernels;

namespace {

/// What a warp finds for `element`.
int64_t search(const std::vector<int64_t> &table, int64_t element) {
  FoldSearch search{0, int64_t(table.size()) / kFoldFields};
  for (int round = 0; search.size > 1; ++round) {
    EXPECT_LT(round, 10);
    int before = 0;
    for (int lane = 0; lane < 32; ++lane) {
      int64_t probe = foldProbe(search, lane);
      before += probe >= 0 && table[probe * kFoldFields] <= element;
    }
    search = foldNarrow(search, before > 0 ? before : 1);
  }
  return search.low;
}

TEST(FoldPlace, FindsTheLastSegmentThatBeginsBefore) {
  std::mt19937 generator(3);
  for (int segments : {1, 2, 31, 32, 33, 64, 65, 447, 448, 1024, 1025, 5000}) {
    std::vector<FoldEntry> entries;
    int64_t first = generator() % 2 * 16;
    for (int i = 0; i < segments; ++i) {
      int64_t count = 1 + generator() % 50;
      entries.push_back({first, count, 5, 0, 5, 1});
      first += (count + 15) / 16 * 16 + generator() % 3 * 16;
    }
    auto table = foldTable(entries);
    for (int64_t element = 0; element < first + 32; element += 8) {
      int64_t expected = 0;
      for (int64_t i = 0; i < segments; ++i)
        if (entries[i].first <= element)
          expected = i;
      ASSERT_EQ(search(table, element), expected)
          << element << " among " << segments;
    }
  }
}

TEST(FoldPlace, TableIsSortedAndCarriesTheScale) {
  auto table = foldTable({{64, 9, 3, 7, 30, 2.5f}, {0, 16, 16, 1000, 48, -1}});
  ASSERT_EQ(table.size(), 14u);
  EXPECT_EQ(foldSegment(table.data(), 0).scales, -1);
  FoldSegment a = foldSegment(table.data(), 0),
              b = foldSegment(table.data(), 1);
  EXPECT_EQ(a.first, 0);
  EXPECT_EQ(a.target, 1000);
  EXPECT_EQ(std::bit_cast<float>(uint32_t(a.scaleBits)), -1);
  EXPECT_EQ(b.first, 64);
  EXPECT_EQ(std::bit_cast<float>(uint32_t(b.scaleBits)), 2.5f);
  EXPECT_EQ(foldTarget(b, 0), 7);
  EXPECT_EQ(foldTarget(b, 5), 7 + 30 + 2);
  EXPECT_EQ(foldTarget(b, 8), 7 + 60 + 2);
}

TEST(FoldPlace, EightAtATimeOnlyWhereRowsAndTargetsAllow) {
  EXPECT_TRUE(foldsByEight({0, 64, 16, 8, 24, 0}));
  EXPECT_FALSE(foldsByEight({0, 64, 12, 8, 24, 0}));
  EXPECT_FALSE(foldsByEight({0, 64, 16, 4, 24, 0}));
  EXPECT_FALSE(foldsByEight({0, 64, 16, 8, 20, 0}));
}

} // namespace
