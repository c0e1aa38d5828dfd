//===- MaskAgreement.h - All ranks keep the same triplets ------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// Every rank of a grid decides by itself which triplets of AdaLoRA it keeps,
/// from sums that are the same on all. Were they not (another order of
/// summation, a fault of memory), ranks would train different adapters and
/// nothing would fail. So a hash of the mask after each allocation goes to the
/// others, with whatever exchange comes next, and is compared.
class MaskAgreement {
public:
  /// The mask after `step` (1 = the first one).
  void add(std::uint64_t step, std::span<const float> kept);

  /// The hashes since the last call, for the others: 16 bytes an allocation.
  std::string take();

  /// Compares what all ranks took, in order of rank.
  /// \throws Error(Numerics) naming the first step whose masks differ, and the
  ///   ranks that are not with the majority; Error(PeerLost) if a rank speaks
  ///   of other steps than rank 0.
  static void compare(const std::vector<std::string> &all);

private:
  struct Entry {
    std::uint64_t step = 0, hash = 0;
  };
  static std::vector<Entry> parse(unsigned rank, const std::string &bytes);
  std::vector<Entry> entries;
};

} // namespace llamarun
