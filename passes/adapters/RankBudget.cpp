//===- RankBudget.cpp - How a budget of ranks is spent --------------------===//
#include "passes/adapters/RankBudget.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

#include <queue>

using namespace llamac;

llvm::SmallVector<int64_t>
llamac::topRanks(llvm::ArrayRef<RankCandidate> layers, int64_t rank,
                 int64_t budget) {
  llvm::SmallVector<int64_t> ranks(layers.size(), 0);
  auto order = llvm::to_vector(llvm::seq<size_t>(0, layers.size()));
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return layers[a].value > layers[b].value;
  });
  for (size_t i : order)
    if (layers[i].value > 0 && layers[i].cost <= budget / rank) {
      ranks[i] = rank;
      budget -= rank * layers[i].cost;
    }
  return ranks;
}

llvm::SmallVector<int64_t>
llamac::proportionalRanks(llvm::ArrayRef<RankCandidate> layers, int64_t most,
                          int64_t budget) {
  struct Claim {
    double value;
    size_t layer;
    bool operator<(const Claim &other) const {
      return value != other.value ? value < other.value : layer > other.layer;
    }
  };
  llvm::SmallVector<int64_t> ranks(layers.size(), 0);
  std::priority_queue<Claim> claims;
  for (auto [i, layer] : llvm::enumerate(layers))
    if (layer.value > 0)
      claims.push({layer.value, i});
  while (!claims.empty()) {
    size_t i = claims.top().layer;
    claims.pop();
    // What does not fit now never will: the budget only falls.
    if (layers[i].cost > budget)
      continue;
    budget -= layers[i].cost;
    if (++ranks[i] < most)
      claims.push({layers[i].value / static_cast<double>(ranks[i] + 1), i});
  }
  return ranks;
}
