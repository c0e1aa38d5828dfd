//===- CounterRandom.h - Random numbers by position ------------*- C++ -*-===//
//
// Number i of a stream is a function of (seed, stream name, i) alone, so that
// every layout of a tensor, and every number of threads, draws the same values.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace llamarun {

/// FNV-1a, 64 bits.
constexpr std::uint64_t hashName(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : name)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// The output function of SplitMix64 (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014; constants of its variant 13).
constexpr std::uint64_t mixBits(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// A stream of SplitMix64: state(i) = key + (i + 1) * golden ratio, bits(i) =
/// mixBits(state(i)), key = mixBits(mixBits(seed + golden) ^ hashName(name)).
class CounterRandom {
public:
  constexpr CounterRandom(std::uint64_t seed, std::string_view name)
      : key(mixBits(mixBits(seed + kGolden) ^ hashName(name))) {}

  /// 64 uniformly distributed bits.
  constexpr std::uint64_t bits(std::uint64_t counter) const {
    return mixBits(key + (counter + 1) * kGolden);
  }

  /// Uniform in [0, 1), a multiple of 2^-53. Uses one counter per number.
  constexpr double uniform(std::uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1p-53;
  }

  /// Standard normal by Box and Muller from counters 2 index and 2 index + 1
  /// (only the cosine is used: a number must not depend on its neighbour).
  double normal(std::uint64_t index) const {
    // 1 - u is in (0, 1]: its logarithm is finite.
    double radius = std::sqrt(-2 * std::log(1 - uniform(2 * index)));
    return radius * std::cos(2 * std::numbers::pi * uniform(2 * index + 1));
  }

private:
  static constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
  std::uint64_t key;
};

} // namespace llamarun
