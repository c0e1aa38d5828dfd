//===- Sampler.h - Which examples make which batch --------------*- C++ -*-===//
//
// The order is a function of seed and epoch alone: every layout of ranks draws
// the same one, and a run can change its layout and go on.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llamarun {

/// A permutation of 0 .. n-1. Fisher-Yates from the end: for i = n-1 ... 1 swap
/// elements i and j, j = floor(r(i) * (i+1) / 2^64), where
///   r(i) = mix(key + (i+1) * 0x9E3779B97F4A7C15)
///   key  = mix(seed + 0x9E3779B97F4A7C15) xor mix(mix(epoch) + 1)
/// and mix is SplitMix64's finalizer (Steele, Lea, Flood 2014). Arithmetic is
/// modulo 2^64.
std::vector<uint32_t> shuffledOrder(size_t n, uint64_t seed, uint64_t epoch);

/// 0 .. n-1, for evaluation.
std::vector<uint32_t> sequentialOrder(size_t n);

/// How each round of an epoch is spread over data-parallel ranks: the next
/// shares[0] examples go to rank 0, the next shares[1] to rank 1, and so on.
/// Equal shares are batches dealt round-robin (accelerate, data_loader.py:
/// BatchSamplerShard), but for the last round, which is not completed by
/// examples of the epoch's start: ranks get fewer, or none.
struct Dealing {
  std::vector<uint32_t> shares;

  /// Throws Usage if an argument is 0.
  static Dealing even(size_t ranks, size_t batchSize);
  /// Examples of a round. Throws Usage if there are none.
  size_t perRound() const;
  /// Of an epoch over n examples.
  size_t rounds(size_t n) const;
};

/// What one rank gets of a round: at least one example.
struct DealtBatch {
  std::vector<uint32_t> indices;
  uint32_t rank = 0;
  size_t round = 0;
};

/// Deals `order` in rounds; batches in the order of their examples.
std::vector<DealtBatch> dealBatches(const std::vector<uint32_t> &order,
                                    const Dealing &dealing);

} // namespace llamarun
