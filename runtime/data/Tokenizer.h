//===- Tokenizer.h - Text to token ids --------------------------*- C++ -*-===//
//
// Both families that Llama checkpoints use: byte-level BPE (Llama 3) and
// SentencePiece-style BPE (Llama 1, 2, TinyStories), as huggingface/tokenizers
// computes them from tokenizer.json.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/data/AddedTokens.h"
#include "runtime/data/BytePairEncoder.h"
#include "runtime/data/Decoder.h"
#include "runtime/data/Normalizer.h"
#include "runtime/data/PostProcessor.h"
#include "runtime/data/PreTokenizer.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// What a loader gathers and a Tokenizer is made of.
struct TokenizerParts {
  std::string file; ///< opens messages
  Normalizer normalizer;
  PreTokenizer preTokenizer;
  std::unique_ptr<BytePairEncoder> model;
  std::vector<AddedToken> addedTokens;
  PostProcessor postProcessor;
  Decoder decoder;
};

/// Ids of a token are below this: tables are indexed by them.
inline constexpr int32_t kMaxVocabularySize = 1 << 24;

/// All members are thread-safe.
class Tokenizer {
public:
  /// Reads `hfDir`/tokenizer.json, or `hfDir`/tokenizer.model in rank format
  /// where there is no JSON. Throws BadInput, as the two below.
  static std::unique_ptr<Tokenizer> load(const std::filesystem::path &hfDir);

  /// Reads a tokenizer.json. Its "truncation" and "padding" are ignored:
  /// Transformers overrides them at every call, and so do our callers. Throws
  /// BadInput naming file and member for anything malformed, and for a model,
  /// normalizer, pre-tokenizer, post-processor or decoder of another family.
  static std::unique_ptr<Tokenizer>
  fromJsonFile(const std::filesystem::path &file);

  /// Reads Meta's tokenizer.model: a line "<base64 of the token> <rank>" for
  /// each rank from 0. Split expression, the 256 special tokens after the last
  /// rank and the template (one BOS before each sequence) are Llama 3's. Throws
  /// BadInput "file:line: ...".
  static std::unique_ptr<Tokenizer>
  fromRankFile(const std::filesystem::path &file);

  /// Throws BadInput (with `parts.file`) if the parts do not fit together.
  explicit Tokenizer(TokenizerParts parts);

  /// The ids of `text`, in the template for one sequence if `addSpecial`.
  /// Special tokens written out in the text become their ids. Throws BadInput
  /// if `text` is not UTF-8, larger than 16 MiB, or drives the split expression
  /// into endless backtracking.
  std::vector<int32_t> encode(std::string_view text,
                              bool addSpecial = true) const;

  /// As encode(text), at most `maxLength` ids: the text is cut at the right,
  /// the template stays whole. Throws Usage if it alone is longer than
  /// `maxLength`.
  std::vector<int32_t> encodeSingle(std::string_view text,
                                    size_t maxLength) const;

  /// The ids of both texts in the template for a pair (Llama 3: BOS a BOS b),
  /// at most `maxLength`: texts are shortened longest first
  /// (truncateLongestFirst). Throws as encodeSingle.
  std::vector<int32_t> encodePair(std::string_view a, std::string_view b,
                                  size_t maxLength) const;

  /// encode(text, false).
  std::vector<int32_t> encodeWithoutTemplate(std::string_view text) const {
    return encode(text, false);
  }

  /// The text of `ids`. Ids without a token give nothing, so do special tokens
  /// if `skipSpecial`.
  std::string decode(std::span<const int32_t> ids,
                     bool skipSpecial = true) const;

  /// Highest id + 1: the rows that an embedding must have at least.
  int32_t vocabularySize() const {
    return static_cast<int32_t>(tokenOfId.size());
  }

  std::optional<int32_t> idOf(std::string_view token) const;

private:
  size_t budget(const std::vector<PostProcessor::Element> &elements,
                size_t maxLength) const;

  TokenizerParts parts;
  AddedTokens added;
  std::vector<std::string> tokenOfId;
  std::vector<bool> isSpecial; // by id
};

} // namespace llamarun
