//===- Batch.h - Packing sequences into the inputs of a program -*- C++ -*-===//
//
// Shapes and names are those of docs/plan.md: T tokens of the bucket, B
// sequences of the program.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace llamarun {

/// As the plan's Head.
enum class HeadKind { Classification, Regression, CausalLM };

/// The label of a row without one.
inline constexpr int32_t kNoLabel = -100;

struct Batch {
  std::vector<int32_t> inputIds;  ///< [T] `input_ids`, padding 0
  std::vector<int32_t> positions; ///< [T] in the row's sequence, padding 0
  std::vector<int32_t> cuSeqlens; ///< [B+1] `cu_seqlens`, last one: tokens
  std::vector<int32_t> lastToken; ///< [B] row, 0 for an absent sequence
  std::vector<int32_t> poolIndex; ///< [T] sequence that ends here, else -1
  std::vector<int32_t>
      labels;                ///< [B] class ids, or [T] next tokens; else empty
  std::vector<float> scores; ///< [B] regression labels; else empty
  int32_t tokens = 0;        ///< real ones, at most T
  int32_t sequences = 0;     ///< real ones, at most B
  int32_t labelCount = 0;    ///< labels that are not "none"
};

/// Packs `sequences` (token ids, none empty) one after another into a bucket of
/// `bucketTokens` rows for a program of at most `maxSequences`.
/// `labels` has one entry for each sequence: a class id or a score, NaN for
/// none; it may be empty (no labels at all) and is not looked at for CausalLM,
/// where a row's label is the next token of its sequence and the last row has
/// none. Throws BadInput for an empty sequence and for tokens or sequences that
/// do not fit, Usage for labels that do not match.
Batch pack(std::span<const std::vector<int32_t>> sequences,
           std::span<const float> labels, HeadKind head, int32_t bucketTokens,
           int32_t maxSequences);

/// The smallest of `buckets` (ascending) that holds `tokens`. Throws BadInput
/// "sequence longer than the plan's bucket" with both sizes if none does.
int32_t chooseBucket(std::span<const int32_t> buckets, int64_t tokens);

} // namespace llamarun
