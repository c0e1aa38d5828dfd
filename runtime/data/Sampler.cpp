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

Dealing Dealing::even(size_t ranks, size_t batchSize) {
  if (ranks == 0 || batchSize == 0 ||
      batchSize > std::numeric_limits<uint32_t>::max())
    fail(ExitCode::Usage, "batches of ", batchSize, " examples for ", ranks,
         " ranks");
  return {std::vector<uint32_t>(ranks, static_cast<uint32_t>(batchSize))};
}

size_t Dealing::perRound() const {
  size_t sum = std::accumulate(shares.begin(), shares.end(), size_t(0));
  if (sum == 0)
    fail(ExitCode::Usage, "no rank gets an example");
  return sum;
}

size_t Dealing::rounds(size_t n) const {
  return (n + perRound() - 1) / perRound();
}

std::vector<DealtBatch> dealBatches(const std::vector<uint32_t> &order,
                                    const Dealing &dealing) {
  dealing.perRound(); // refuses what would never end
  std::vector<DealtBatch> batches;
  auto next = order.begin();
  for (size_t round = 0; next != order.end(); ++round)
    for (uint32_t rank = 0; rank < dealing.shares.size(); ++rank) {
      auto count = std::min<size_t>(dealing.shares[rank],
                                    static_cast<size_t>(order.end() - next));
      if (count == 0)
        continue;
      auto end = next + static_cast<std::ptrdiff_t>(count);
      batches.push_back({{next, end}, rank, round});
      next = end;
    }
  return batches;
}

} // namespace llamarun
