#include "runtime/trace/StepShares.h"

#include <gtest/gtest.h>
#include <numeric>
#include <random>

namespace llamarun {
namespace {

TracedWork work(std::int64_t begin, std::int64_t end) {
  return {0, 0, 0, 0, begin, end};
}

TEST(StepShares, OverlapIsSharedAndNothingCountsTwice) {
  std::vector<TracedWork> works{work(0, 10), work(4, 10), work(6, 8),
                                work(20, 25), work(30, 30)};
  // 0-4 alone, 4-6 two, 6-8 three, 8-10 two.
  auto shares = shareTime(works);
  EXPECT_DOUBLE_EQ(shares[0], 4 + 1 + 2.0 / 3 + 1);
  EXPECT_DOUBLE_EQ(shares[1], 1 + 2.0 / 3 + 1);
  EXPECT_DOUBLE_EQ(shares[2], 2.0 / 3);
  EXPECT_DOUBLE_EQ(shares[3], 5);
  EXPECT_DOUBLE_EQ(shares[4], 0);
  EXPECT_TRUE(shareTime({}).empty());
}

// Against counting the moments one by one.
TEST(StepShares, SumIsTheTimeInWhichSomethingRuns) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::vector<TracedWork> works;
    std::vector<int> busy(300);
    for (int i = 0; i < 30; ++i) {
      auto begin = static_cast<std::int64_t>(random() % 250);
      works.push_back(work(begin, begin + static_cast<int>(random() % 50)));
      for (auto t = begin; t < works.back().end; ++t)
        busy[static_cast<std::size_t>(t)] = 1;
    }
    auto shares = shareTime(works);
    EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0),
                std::accumulate(busy.begin(), busy.end(), 0), 1e-9);
  }
}

TEST(StepShares, RowsHoldNoOverlap) {
  std::vector<TracedWork> works{work(0, 10), work(0, 5),   work(5, 7),
                                work(6, 12), work(10, 11), work(12, 13)};
  EXPECT_EQ(rowsOf(works), (std::vector<unsigned>{0, 1, 1, 2, 0, 0}));
}

} // namespace
} // namespace llamarun
