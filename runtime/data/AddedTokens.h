//===- AddedTokens.h - Tokens that are found in raw text --------*- C++ -*-===//
//
// Source of the semantics: huggingface/tokenizers,
// tokenizer/added_vocabulary.rs.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/data/Normalizer.h"
#include "runtime/data/PairTable.h"
#include "runtime/data/PreTokenizer.h"

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool singleWord = false; ///< not inside a word
  bool lstrip = false;     ///< takes the white space before it along
  bool rstrip = false;     ///< takes the white space after it along
  bool normalized = false; ///< looked for, normalized, in the normalized text
  bool special = false;    ///< left out when decoding
};

/// The longest of several strings that starts at a position, in time
/// proportional to its length.
class StringSet {
public:
  /// Adds `text` (not empty) with `value` >= 0; the last value of a text
  /// counts.
  void insert(std::string_view text, int32_t value);
  struct Match {
    size_t length;
    int32_t value;
  };
  std::optional<Match> longestAt(std::string_view text, size_t position) const;
  bool empty() const { return firstBytes.none(); }

private:
  PairTable children;          // (node, byte) -> node; the root is 0
  std::vector<int32_t> values; // of each node, -1: none
  std::bitset<256> firstBytes;
};

/// Finds added tokens; what lies between them is normalized on the way.
class AddedTokens {
public:
  /// `tokens` in file order. Throws BadInput (without a file name) if a token
  /// is empty or longer than 1024 bytes.
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer &normalizer);

  /// `text` as added tokens and normalized pieces between them: first the
  /// tokens that are looked for in the raw text, leftmost longest; then each
  /// rest is normalized (a Prepend applies to every one of them) and searched
  /// for the others. Pieces may be empty.
  std::vector<Piece> split(std::string_view text,
                           const Normalizer &normalizer) const;

  const std::vector<AddedToken> &all() const { return tokens; }

private:
  void find(std::string_view text, const StringSet &set, bool atStart,
            std::vector<Piece> &out) const;

  std::vector<AddedToken> tokens;
  StringSet raw, normalized; // values are indices into tokens
  Regex wordCharacter;
};

} // namespace llamarun
