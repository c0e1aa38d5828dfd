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

static std::vector<Order> indices(const std::vector<IndexBatch> &batches) {
  std::vector<Order> result;
  for (const IndexBatch &batch : batches)
    result.push_back(batch.indices);
  return result;
}

TEST(Sampler, OneRankKeepsTheShortLastBatch) {
  auto batches = dealBatches(sequentialOrder(7), 3, 0, 1);
  EXPECT_EQ(indices(batches), (std::vector<Order>{{0, 1, 2}, {3, 4, 5}, {6}}));
  EXPECT_EQ(batches[2].fresh, 1u);
  EXPECT_EQ(batchesPerEpoch(7, 3, 1), 3u);
  EXPECT_TRUE(dealBatches({}, 3, 0, 1).empty());
}

// As accelerate's BatchSamplerShard (data_loader.py) deals them.
TEST(Sampler, RanksTakeTurnsAndTheLastRoundIsCompleted) {
  Order order = {10, 11, 12, 13, 14, 15, 16};
  EXPECT_EQ(indices(dealBatches(order, 2, 0, 2)),
            (std::vector<Order>{{10, 11}, {14, 15}}));
  auto second = dealBatches(order, 2, 1, 2);
  EXPECT_EQ(indices(second), (std::vector<Order>{{12, 13}, {16, 10}}));
  EXPECT_EQ(second[1].fresh, 1u);
  EXPECT_EQ(indices(dealBatches(order, 2, 0, 3)),
            (std::vector<Order>{{10, 11}, {16, 10}}));
  EXPECT_EQ(indices(dealBatches(order, 2, 1, 3)),
            (std::vector<Order>{{12, 13}, {11, 12}}));
  EXPECT_EQ(indices(dealBatches(order, 2, 2, 3)),
            (std::vector<Order>{{14, 15}, {13, 14}}));
  // Fewer examples than one round takes: around and around.
  const std::vector<Order> expected = {{1, 2}, {3, 1}, {2, 3}, {1, 2}};
  for (size_t rank = 0; rank < 4; ++rank)
    EXPECT_EQ(indices(dealBatches({1, 2, 3}, 2, rank, 4)),
              std::vector<Order>{expected[rank]});
  EXPECT_EQ(dealBatches({1, 2, 3}, 2, 1, 4)[0].fresh, 1u);
  EXPECT_EQ(dealBatches({1, 2, 3}, 2, 3, 4)[0].fresh, 0u);
}

TEST(Sampler, AllRanksTogetherSeeEveryExampleOnce) {
  for (size_t world : {1, 2, 3, 8})
    for (size_t n : {1, 5, 16, 97}) {
      Order order = shuffledOrder(n, 1, 2);
      std::multiset<uint32_t> seen;
      for (size_t rank = 0; rank < world; ++rank) {
        auto batches = dealBatches(order, 4, rank, world);
        EXPECT_EQ(batches.size(), batchesPerEpoch(n, 4, world));
        for (const IndexBatch &batch : batches)
          seen.insert(batch.indices.begin(),
                      batch.indices.begin() + static_cast<long>(batch.fresh));
      }
      EXPECT_EQ(seen, std::multiset<uint32_t>(order.begin(), order.end()));
    }
}

TEST(Sampler, RefusesNonsense) {
  expectError(ExitCode::Usage, "must be positive",
              [] { dealBatches({0}, 0, 0, 1); });
  expectError(ExitCode::Usage, "must be positive",
              [] { dealBatches({0}, 1, 0, 0); });
  expectError(ExitCode::Usage, "rank 2 of 2",
              [] { dealBatches({0}, 1, 2, 2); });
}
