//===- RankFile.cpp - Reading Meta's tokenizer.model ----------------------===//
//
// Source of expression, special tokens and merges: meta-llama/llama-models,
// models/llama3/tokenizer.py; huggingface/transformers,
// convert_slow_tokenizer.py (TikTokenConverter) and
// models/llama/convert_llama_weights_to_hf.py.
//
//===----------------------------------------------------------------------===//

#include "runtime/data/ByteLevel.h"
#include "runtime/data/TextFile.h"
#include "runtime/data/Tokenizer.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace llamarun {

static constexpr char kSplitExpression[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static constexpr int32_t kSpecialTokens = 256;
// Llama 3 has 128,000 ranks, the longest token 128 bytes.
static constexpr size_t kMaxTokenBytes = 256;
static constexpr size_t kMaxRanks = size_t(1) << 21;

/// False if `text` is not canonical base64.
static bool decodeBase64(std::string_view text, std::string &bytes) {
  auto digit = [](char c) -> int {
    if (c >= 'A' && c <= 'Z')
      return c - 'A';
    if (c >= 'a' && c <= 'z')
      return c - 'a' + 26;
    if (c >= '0' && c <= '9')
      return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  if (text.empty() || text.size() % 4 != 0)
    return false;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    int value = i + padding >= text.size() ? 0 : digit(text[i]);
    if (value < 0)
      return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 3)
      continue;
    for (int shift = 16; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(bits >> shift & 0xFF));
    bits = 0;
  }
  // The bits under the padding must be zero.
  for (size_t i = 0; i < padding; ++i) {
    if (bytes.back() != 0)
      return false;
    bytes.pop_back();
  }
  return true;
}

/// Token bytes by rank.
static std::vector<std::string> readRanks(const std::filesystem::path &file) {
  LineReader reader(file);
  std::vector<std::string> ranks;
  std::string line;
  while (reader.next(line)) {
    auto bad = [&](const auto &...what) {
      fail(ExitCode::BadInput, file.string(), ":", reader.lineNumber(), ": ",
           what...);
    };
    size_t space = line.find(' ');
    std::string token;
    if (space == std::string::npos ||
        !decodeBase64(std::string_view(line).substr(0, space), token))
      bad("expected \"<base64 token> <rank>\" (only this form of ",
          "tokenizer.model is read; others need a tokenizer.json)");
    size_t rank = 0;
    const char *end = line.data() + line.size();
    auto [stop, error] = std::from_chars(line.data() + space + 1, end, rank);
    if (error != std::errc() || stop != end || rank != ranks.size())
      bad("expected rank ", ranks.size(), " after the token");
    if (token.size() > kMaxTokenBytes)
      bad("token of ", token.size(), " bytes, at most ", kMaxTokenBytes,
          " are allowed");
    if (ranks.size() >= kMaxRanks)
      bad("more than ", kMaxRanks, " tokens");
    ranks.push_back(std::move(token));
  }
  if (ranks.empty())
    fail(ExitCode::BadInput, file.string(), ": holds no tokens");
  return ranks;
}

/// Adds, for every token in rank order, all its splits into two tokens, these
/// ordered by the ranks of left and right.
static void addMerges(const std::vector<std::string> &ranks,
                      BytePairEncoder &model) {
  std::unordered_map<std::string_view, int32_t> rankOf;
  rankOf.reserve(ranks.size());
  for (size_t i = 0; i < ranks.size(); ++i)
    rankOf.emplace(ranks[i], static_cast<int32_t>(i));
  for (const std::string &token : ranks) {
    std::vector<std::pair<int32_t, int32_t>> splits;
    for (size_t cut = 1; cut < token.size(); ++cut) {
      auto left = rankOf.find(std::string_view(token).substr(0, cut));
      auto right = rankOf.find(std::string_view(token).substr(cut));
      if (left != rankOf.end() && right != rankOf.end())
        splits.emplace_back(left->second, right->second);
    }
    std::sort(splits.begin(), splits.end());
    for (auto [left, right] : splits)
      model.addMerge(toByteLevel(ranks[left]), toByteLevel(ranks[right]));
  }
}

/// Llama 3.1's names in id order; the gaps are reserved tokens. (Llama 3.0 had
/// reserved tokens for finetune_right_pad_id, eom_id and python_tag; the ranks
/// are the same, so the file does not tell.)
static std::vector<AddedToken> specialTokens(int32_t firstId) {
  static constexpr const char *kNames[] = {"<|begin_of_text|>",
                                           "<|end_of_text|>",
                                           nullptr,
                                           nullptr,
                                           "<|finetune_right_pad_id|>",
                                           nullptr,
                                           "<|start_header_id|>",
                                           "<|end_header_id|>",
                                           "<|eom_id|>",
                                           "<|eot_id|>",
                                           "<|python_tag|>"};
  std::vector<AddedToken> tokens;
  int reserved = 0;
  for (int32_t i = 0; i < kSpecialTokens; ++i) {
    AddedToken token;
    token.id = firstId + i;
    token.special = true;
    const char *name = size_t(i) < std::size(kNames) ? kNames[i] : nullptr;
    token.content =
        name ? std::string(name)
             : "<|reserved_special_token_" + std::to_string(reserved++) + "|>";
    tokens.push_back(std::move(token));
  }
  return tokens;
}

std::unique_ptr<Tokenizer>
Tokenizer::fromRankFile(const std::filesystem::path &file) {
  std::vector<std::string> ranks = readRanks(file);
  auto firstSpecial = static_cast<int32_t>(ranks.size());
  Vocabulary vocabulary;
  vocabulary.reserve(ranks.size());
  for (size_t i = 0; i < ranks.size(); ++i)
    if (!vocabulary.emplace(toByteLevel(ranks[i]), static_cast<int32_t>(i))
             .second)
      fail(ExitCode::BadInput, file.string(), ":", i + 1,
           ": the token occurs a second time");

  TokenizerParts parts;
  parts.file = file.string();
  parts.preTokenizer.addSplit(Regex(kSplitExpression, parts.file),
                              SplitBehavior::Isolated, false);
  parts.preTokenizer.addByteLevel(false, false);
  BytePairOptions options;
  options.ignoreMerges = true;
  parts.model = std::make_unique<BytePairEncoder>(std::move(vocabulary),
                                                  std::move(options));
  addMerges(ranks, *parts.model);
  parts.addedTokens = specialTokens(firstSpecial);
  using Kind = PostProcessor::Element::Kind;
  PostProcessor::Element bos{Kind::Special, {firstSpecial}};
  parts.postProcessor.single = {bos, {Kind::A, {}}};
  parts.postProcessor.pair = {bos, {Kind::A, {}}, bos, {Kind::B, {}}};
  parts.decoder.steps.emplace_back(Decoder::ByteLevel{});
  return std::make_unique<Tokenizer>(std::move(parts));
}

} // namespace llamarun
