#include "runtime/data/Tokenizer.h"

#include "runtime/data/Utf8.h"
#include "runtime/support/Error.h"

#include <algorithm>

namespace llamarun {

static constexpr size_t kMaxInputBytes = size_t(16) << 20;

std::unique_ptr<Tokenizer> Tokenizer::load(const std::filesystem::path &hfDir) {
  std::error_code ignored;
  if (auto file = hfDir / "tokenizer.json";
      std::filesystem::exists(file, ignored))
    return fromJsonFile(file);
  if (auto file = hfDir / "tokenizer.model";
      std::filesystem::exists(file, ignored))
    return fromRankFile(file);
  fail(ExitCode::BadInput, hfDir.string(),
       ": has neither tokenizer.json nor tokenizer.model");
}

static AddedTokens makeAddedTokens(const TokenizerParts &parts) try {
  return AddedTokens(parts.addedTokens, parts.normalizer);
} catch (const Error &error) {
  fail(error.code(), parts.file, ": ", error.what());
}

Tokenizer::Tokenizer(TokenizerParts given)
    : parts(std::move(given)), added(makeAddedTokens(parts)) {
  int32_t highest = -1;
  for (const auto &[token, id] : parts.model->vocabulary())
    highest = std::max(highest, id);
  for (const AddedToken &token : added.all())
    highest = std::max(highest, token.id);
  if (highest < 0)
    fail(ExitCode::BadInput, parts.file, ": the vocabulary is empty");
  tokenOfId.resize(highest + 1);
  isSpecial.resize(highest + 1);
  for (const auto &[token, id] : parts.model->vocabulary())
    tokenOfId[id] = token;
  for (const AddedToken &token : added.all()) {
    // A token that is found in normalized text is written back from there: its
    // decoder takes the normalizer's marks off again.
    tokenOfId[token.id] = token.normalized
                              ? parts.normalizer.apply(token.content)
                              : token.content;
    isSpecial[token.id] = token.special;
  }
  for (const auto *elements :
       {&parts.postProcessor.single, &parts.postProcessor.pair})
    for (const auto &element : *elements)
      for (int32_t id : element.ids)
        if (id < 0 || id > highest || tokenOfId[id].empty())
          fail(ExitCode::BadInput, parts.file, ": the template's id ", id,
               " is not in the vocabulary");
}

std::vector<int32_t> Tokenizer::encode(std::string_view text,
                                       bool addSpecial) const {
  if (text.size() > kMaxInputBytes)
    fail(ExitCode::BadInput, "text of ", text.size(),
         " bytes cannot be tokenized, at most ", kMaxInputBytes,
         " are allowed");
  if (size_t at = findInvalidUtf8(text); at != std::string_view::npos)
    fail(ExitCode::BadInput, "text is not valid UTF-8 (byte ", at, ")");
  std::vector<Piece> pieces = added.split(text, parts.normalizer);
  parts.preTokenizer.apply(pieces);
  std::vector<int32_t> ids;
  for (const Piece &piece : pieces) {
    if (piece.token >= 0)
      ids.push_back(piece.token);
    else
      parts.model->encode(piece.text, ids);
  }
  return addSpecial ? parts.postProcessor.applySingle(ids) : ids;
}

size_t Tokenizer::budget(const std::vector<PostProcessor::Element> &elements,
                         size_t maxLength) const {
  size_t added = PostProcessor::addedTokens(elements);
  if (maxLength < added)
    fail(ExitCode::Usage, "a maximum of ", maxLength,
         " tokens leaves no room for the ", added,
         " special tokens of the tokenizer's template");
  return maxLength - added;
}

std::vector<int32_t> Tokenizer::encodeSingle(std::string_view text,
                                             size_t maxLength) const {
  size_t room = budget(parts.postProcessor.single, maxLength);
  std::vector<int32_t> ids = encode(text, false);
  ids.resize(std::min(ids.size(), room));
  return parts.postProcessor.applySingle(ids);
}

std::vector<int32_t> Tokenizer::encodePair(std::string_view a,
                                           std::string_view b,
                                           size_t maxLength) const {
  size_t room = budget(parts.postProcessor.pair, maxLength);
  std::vector<int32_t> first = encode(a, false), second = encode(b, false);
  truncateLongestFirst(first, second, room);
  return parts.postProcessor.applyPair(first, second);
}

std::string Tokenizer::decode(std::span<const int32_t> ids,
                              bool skipSpecial) const {
  std::vector<std::string> tokens;
  for (int32_t id : ids) {
    if (id < 0 || id >= vocabularySize() || tokenOfId[id].empty() ||
        (skipSpecial && isSpecial[id]))
      continue;
    tokens.push_back(tokenOfId[id]);
  }
  return parts.decoder.decode(std::move(tokens));
}

std::optional<int32_t> Tokenizer::idOf(std::string_view token) const {
  for (const AddedToken &one : added.all())
    if (one.content == token)
      return one.id;
  return parts.model->idOf(token);
}

} // namespace llamarun
