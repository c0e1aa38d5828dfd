//===- BytePairEncoder.h - The BPE model of a tokenizer ---------*- C++ -*-===//
//
// Source of the semantics: huggingface/tokenizers, models/bpe/{model,word}.rs.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/data/PairTable.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llamarun {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};
/// Token text to id.
using Vocabulary =
    std::unordered_map<std::string, int32_t, StringHash, std::equal_to<>>;

struct BytePairOptions {
  std::optional<std::string> unkToken;
  bool fuseUnk = false;      ///< neighbouring unknown characters give one unk
  bool byteFallback = false; ///< an unknown character becomes <0xHH> per byte
  bool ignoreMerges = false; ///< a word that is a token is that token
};

/// Splits words into ids: characters first, then always the pair of neighbours
/// whose merge has the lowest rank, leftmost first. O(n log n) in the length of
/// the word. encode() is thread-safe; short words are remembered.
class BytePairEncoder {
public:
  /// Throws BadInput (without a file name) if the unk token is not in the
  /// vocabulary.
  BytePairEncoder(Vocabulary vocabulary, BytePairOptions options);

  /// Adds the merge of next rank. Throws BadInput (without a file name) if
  /// `left`, `right` or their concatenation is not in the vocabulary.
  void addMerge(std::string_view left, std::string_view right);

  /// Appends the ids of `word` (valid UTF-8) to `ids`. A character that is
  /// unknown to a model without unk token and byte fallback gives nothing.
  void encode(std::string_view word, std::vector<int32_t> &ids) const;

  std::optional<int32_t> idOf(std::string_view token) const;
  const Vocabulary &vocabulary() const { return tokens; }

private:
  struct Symbol;
  void encodeUncached(std::string_view word, std::vector<int32_t> &ids) const;
  void addCharacters(std::string_view word, std::vector<Symbol> &symbols) const;
  void mergeAll(std::vector<Symbol> &symbols) const;
  std::optional<int32_t> idOfCharacter(std::string_view character) const;

  Vocabulary tokens;
  BytePairOptions options;
  int32_t unkId = -1;
  std::array<int32_t, 256> byteIds;  // id of "<0xHH>" or -1
  std::array<int32_t, 128> asciiIds; // id of the character or -1
  PairTable merges;                  // value: id of the concatenation
  int32_t nextRank = 0;

  /// Remembered words, in shards so that threads seldom wait.
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<int32_t>, StringHash,
                       std::equal_to<>>
        words;
  };
  static constexpr size_t kShards = 16;
  std::unique_ptr<std::array<Shard, kShards>> cache;
};

} // namespace llamarun
