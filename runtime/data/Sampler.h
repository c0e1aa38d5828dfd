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

/// The examples of one step of one rank. From `fresh` on they repeat examples
/// of the epoch's start, which evaluation must not count again.
struct IndexBatch {
  std::vector<uint32_t> indices;
  size_t fresh = 0;
};

/// Deals `order` to rank `rank` of `world` data-parallel ranks as accelerate's
/// BatchSamplerShard does: `order` is cut into batches of `batchSize`, batch i
/// goes to rank i mod world. One rank gets a shorter last batch as it is; with
/// several every rank gets the same number of full batches, completed by
/// cycling through `order` from its start. Throws Usage if an argument makes no
/// sense.
std::vector<IndexBatch> dealBatches(const std::vector<uint32_t> &order,
                                    size_t batchSize, size_t rank,
                                    size_t world);

/// Batches that each rank gets of n examples.
size_t batchesPerEpoch(size_t n, size_t batchSize, size_t world);

} // namespace llamarun
