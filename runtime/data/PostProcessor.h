//===- PostProcessor.h - Truncation and the template ------------*- C++ -*-===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace llamarun {

/// What is put around one sequence, and around a pair of them.
struct PostProcessor {
  struct Element {
    enum class Kind { A, B, Special } kind;
    std::vector<int32_t> ids; ///< of a Special
  };
  std::vector<Element> single = {{Element::Kind::A, {}}};
  std::vector<Element> pair = {{Element::Kind::A, {}}, {Element::Kind::B, {}}};

  /// Ids that the template adds.
  static size_t addedTokens(const std::vector<Element> &elements);

  std::vector<int32_t> applySingle(std::span<const int32_t> a) const;
  std::vector<int32_t> applyPair(std::span<const int32_t> a,
                                 std::span<const int32_t> b) const;
};

/// Shortens both to `budget` ids in all by cutting at the right, "longest
/// first" as huggingface/tokenizers (utils/truncation.rs) does in one go: the
/// shorter one stays whole if it leaves the longer one at least its own length,
/// which then gets the rest; otherwise the shorter one (the first, if equal)
/// gets budget/2 and the other budget - budget/2.
void truncateLongestFirst(std::vector<int32_t> &a, std::vector<int32_t> &b,
                          size_t budget);

} // namespace llamarun
