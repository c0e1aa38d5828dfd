#include "runtime/data/Sampler.h"

#include "test/runtime/data/TestFiles.h"

#include <algorithm>
#include <set>

using namespace llamarun;
using namespace llamarun::test;
using Order = std::vector<uint32_t>;

/// The documented function, with 128-bit arithmetic.
static Order referenceOrder(size_t n, uint64_t seed, uint64_t epoch) {
  auto mix = [](uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  };
  const uint64_t golden = 0x9E3779B97F4A7C15ull;
  uint64_t key = mix(seed + golden) ^ mix(mix(epoch) + 1);
  Order order(n);
  for (size_t i = 0; i < n; ++i)
    order[i] = static_cast<uint32_t>(i);
  for (size_t i = n; i-- > 1;) {
    __extension__ unsigned __int128 product = mix(key + (i + 1) * golden);
    product *= i + 1;
    std::swap(order[i], order[static_cast<size_t>(product >> 64)]);
  }
  return order;
}

TEST(Sampler, IsTheDocumentedFunction) {
  for (size_t n : {0, 1, 2, 10, 67349})
    for (uint64_t seed : {uint64_t(0), uint64_t(42), ~uint64_t(0)})
      for (uint64_t epoch : {0, 1, 7})
        EXPECT_EQ(shuffledOrder(n, seed, epoch),
                  referenceOrder(n, seed, epoch));
  Order order = shuffledOrder(1000, 42, 0);
  EXPECT_NE(order, shuffledOrder(1000, 42, 1));
  EXPECT_NE(order, shuffledOrder(1000, 43, 0));
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, sequentialOrder(1000));
}

TEST(Sampler, PutsEveryElementEverywhere) {
  // 6 elements, 6000 epochs: each place sees each element about 1000 times.
  int counts[6][6] = {};
  for (uint64_t epoch = 0; epoch < 6000; ++epoch) {
    Order order = shuffledOrder(6, 42, epoch);
    for (int place = 0; place < 6; ++place)
      ++counts[place][order[place]];
  }
  for (auto &row : counts)
    for (int count : row)
      EXPECT_NEAR(count, 1000, 150); // five standard deviations
}

/// What one rank gets, a list a batch.
static std::vector<Order> dealtTo(uint32_t rank, const Order &order,
                                  const Dealing &dealing) {
  std::vector<Order> result;
  for (const DealtBatch &batch : dealBatches(order, dealing))
    if (batch.rank == rank)
      result.push_back(batch.indices);
  return result;
}

TEST(Sampler, OneRankKeepsTheShortLastBatch) {
  Dealing dealing = Dealing::even(1, 3);
  EXPECT_EQ(dealtTo(0, sequentialOrder(7), dealing),
            (std::vector<Order>{{0, 1, 2}, {3, 4, 5}, {6}}));
  EXPECT_EQ(dealing.rounds(7), 3u);
  EXPECT_EQ(dealing.rounds(6), 2u);
  EXPECT_TRUE(dealBatches({}, dealing).empty());
}

// As accelerate's BatchSamplerShard (data_loader.py) deals them, but for the
// last round.
TEST(Sampler, RanksTakeTurnsAndTheLastRoundIsDealtAsItIs) {
  Order order = {10, 11, 12, 13, 14, 15, 16};
  Dealing two = Dealing::even(2, 2);
  EXPECT_EQ(dealtTo(0, order, two), (std::vector<Order>{{10, 11}, {14, 15}}));
  EXPECT_EQ(dealtTo(1, order, two), (std::vector<Order>{{12, 13}, {16}}));
  EXPECT_EQ(two.rounds(7), 2u);
  // The last ranks get nothing.
  Dealing four = Dealing::even(4, 2);
  EXPECT_EQ(dealtTo(1, {1, 2, 3}, four), (std::vector<Order>{{3}}));
  EXPECT_TRUE(dealtTo(2, {1, 2, 3}, four).empty());
}

TEST(Sampler, DealsUnevenSharesToo) {
  Dealing dealing{{1, 0, 3}};
  Order order = {10, 11, 12, 13, 14, 15};
  EXPECT_EQ(dealtTo(0, order, dealing), (std::vector<Order>{{10}, {14}}));
  EXPECT_TRUE(dealtTo(1, order, dealing).empty());
  EXPECT_EQ(dealtTo(2, order, dealing),
            (std::vector<Order>{{11, 12, 13}, {15}}));
  EXPECT_EQ(dealBatches(order, dealing)[2].round, 1u);
}

TEST(Sampler, EveryExampleIsDealtOnce) {
  for (size_t n : {1, 5, 8, 33})
    for (size_t ranks : {1, 2, 3, 8}) {
      Dealing dealing = Dealing::even(ranks, 4);
      Order order = shuffledOrder(n, 1, 0), dealt;
      for (auto &batch : dealBatches(order, dealing)) {
        EXPECT_LT(batch.round, dealing.rounds(n));
        dealt.insert(dealt.end(), batch.indices.begin(), batch.indices.end());
      }
      EXPECT_EQ(dealt, order);
    }
}

TEST(Sampler, RefusesNonsense) {
  expectError(ExitCode::Usage, "0 examples", [] { Dealing::even(2, 0); });
  expectError(ExitCode::Usage, "0 ranks", [] { Dealing::even(0, 2); });
  expectError(ExitCode::Usage, "no rank", [] {
    dealBatches({1}, Dealing{{0, 0}});
  });
}
