#include "runtime/data/Sampler.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace llamarun {

static constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ull;

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

/// floor(a * b / 2^64).
static uint64_t multiplyHigh(uint64_t a, uint64_t b) {
  uint64_t aLow = a & 0xFFFFFFFF, aHigh = a >> 32;
  uint64_t bLow = b & 0xFFFFFFFF, bHigh = b >> 32;
  uint64_t middle = aHigh * bLow + (aLow * bLow >> 32);
  uint64_t other = aLow * bHigh + (middle & 0xFFFFFFFF);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

std::vector<uint32_t> sequentialOrder(size_t n) {
  if (n > std::numeric_limits<uint32_t>::max())
    fail(ExitCode::BadInput, n, " examples are too many");
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

std::vector<uint32_t> shuffledOrder(size_t n, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> order = sequentialOrder(n);
  uint64_t key = mix(seed + kGolden) ^ mix(mix(epoch) + 1);
  for (size_t i = n; i-- > 1;)
    std::swap(order[i],
              order[multiplyHigh(mix(key + (i + 1) * kGolden), i + 1)]);
  return order;
}

size_t batchesPerEpoch(size_t n, size_t batchSize, size_t world) {
  if (batchSize == 0 || world == 0)
    fail(ExitCode::Usage, "batch size and number of ranks must be positive");
  size_t batches = (n + batchSize - 1) / batchSize;
  return (batches + world - 1) / world;
}

std::vector<IndexBatch> dealBatches(const std::vector<uint32_t> &order,
                                    size_t batchSize, size_t rank,
                                    size_t world) {
  size_t steps = batchesPerEpoch(order.size(), batchSize, world);
  if (rank >= world)
    fail(ExitCode::Usage, "rank ", rank, " of ", world);
  std::vector<IndexBatch> batches(steps);
  for (size_t step = 0; step < steps; ++step) {
    IndexBatch &batch = batches[step];
    size_t begin = (step * world + rank) * batchSize;
    size_t end = world == 1 ? std::min(begin + batchSize, order.size())
                            : begin + batchSize;
    // What the last round lacks follows on from the end: the first missing
    // example is the epoch's first, and so on around.
    for (size_t i = begin; i < end; ++i)
      batch.indices.push_back(order[i % order.size()]);
    batch.fresh = std::min(end, std::max(begin, order.size())) - begin;
  }
  return batches;
}

} // namespace llamarun
