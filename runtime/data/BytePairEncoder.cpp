#include "runtime/data/BytePairEncoder.h"

#include "runtime/data/Utf8.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdio>
#include <queue>

namespace llamarun {

// Words up to this length are remembered, up to so many: a few MB in all.
static constexpr size_t kCachedWordBytes = 32;
static constexpr size_t kCachedWordsPerShard = 2048;
// Bounds the table; Llama 3 has 280,147.
static constexpr int32_t kMaxMerges = 8'000'000;

/// An entry of a doubly linked list within one vector.
struct BytePairEncoder::Symbol {
  int32_t id;
  int32_t previous;
  int32_t next; // -1: the last
  bool merged;  // into its left neighbour
};

BytePairEncoder::BytePairEncoder(Vocabulary vocabulary, BytePairOptions given)
    : tokens(std::move(vocabulary)), options(std::move(given)),
      cache(std::make_unique<std::array<Shard, kShards>>()) {
  if (options.unkToken) {
    std::optional<int32_t> id = idOf(*options.unkToken);
    if (!id)
      fail(ExitCode::BadInput, "unk_token '", *options.unkToken,
           "' is not in the vocabulary");
    unkId = *id;
  }
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    byteIds[byte] = idOf(name).value_or(-1);
    char c = static_cast<char>(byte);
    if (byte < 128)
      asciiIds[byte] = idOf(std::string_view(&c, 1)).value_or(-1);
  }
}

std::optional<int32_t> BytePairEncoder::idOf(std::string_view token) const {
  auto entry = tokens.find(token);
  return entry == tokens.end() ? std::nullopt
                               : std::optional<int32_t>(entry->second);
}

void BytePairEncoder::addMerge(std::string_view left, std::string_view right) {
  if (nextRank >= kMaxMerges)
    fail(ExitCode::BadInput, "there are more than ", kMaxMerges, " merges");
  auto required = [&](std::string_view token) {
    std::optional<int32_t> id = idOf(token);
    if (!id)
      fail(ExitCode::BadInput, "merge ", nextRank, " ('", left, "' + '", right,
           "') needs the token '", token, "', which is not in the vocabulary");
    return *id;
  };
  int32_t leftId = required(left), rightId = required(right);
  int32_t together = required(std::string(left).append(right));
  merges.insert(leftId, rightId, nextRank++, together);
}

std::optional<int32_t>
BytePairEncoder::idOfCharacter(std::string_view character) const {
  if (character.size() > 1)
    return idOf(character);
  int32_t id = asciiIds[static_cast<unsigned char>(character[0])];
  return id < 0 ? std::nullopt : std::optional<int32_t>(id);
}

void BytePairEncoder::addCharacters(std::string_view word,
                                    std::vector<Symbol> &symbols) const {
  auto add = [&](int32_t id) {
    auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({id, index - 1, index + 1, false});
  };
  bool unkPending = false;
  for (size_t i = 0; i < word.size();) {
    std::string_view character = word.substr(i, utf8Length(word[i]));
    i += character.size();
    if (std::optional<int32_t> id = idOfCharacter(character)) {
      if (unkPending)
        add(unkId);
      unkPending = false;
      add(*id);
      continue;
    }
    auto idOfByte = [&](char c) {
      return byteIds[static_cast<unsigned char>(c)];
    };
    if (options.byteFallback &&
        std::all_of(character.begin(), character.end(),
                    [&](char c) { return idOfByte(c) >= 0; })) {
      // A pending unk stays pending and comes after these bytes: so does the
      // reference, and the model was trained on what it gives.
      for (char c : character)
        add(idOfByte(c));
      continue;
    }
    if (unkId < 0)
      continue;
    if (unkPending && !options.fuseUnk)
      add(unkId);
    unkPending = true;
  }
  if (unkPending)
    add(unkId);
  if (!symbols.empty())
    symbols.back().next = -1;
}

void BytePairEncoder::mergeAll(std::vector<Symbol> &symbols) const {
  struct Candidate {
    int32_t rank, position, id;
    bool operator>(const Candidate &other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };
  std::vector<Candidate> initial;
  initial.reserve(symbols.size());
  for (size_t i = 0; i + 1 < symbols.size(); ++i)
    if (auto *merge = merges.find(symbols[i].id, symbols[i + 1].id))
      initial.push_back({merge->rank, static_cast<int32_t>(i), merge->value});
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue(
      std::greater<>(), std::move(initial));

  auto consider = [&](int32_t position) {
    const Symbol &left = symbols[position];
    if (auto *merge = merges.find(left.id, symbols[left.next].id))
      queue.push({merge->rank, position, merge->value});
  };
  while (!queue.empty()) {
    Candidate top = queue.top();
    queue.pop();
    Symbol &left = symbols[top.position];
    if (left.merged || left.next < 0)
      continue;
    Symbol &right = symbols[left.next];
    // Either neighbour may have changed since this candidate was queued.
    auto *merge = merges.find(left.id, right.id);
    if (!merge || merge->value != top.id)
      continue;
    left.id = top.id;
    left.next = right.next;
    right.merged = true;
    if (left.next >= 0) {
      symbols[left.next].previous = top.position;
      consider(top.position);
    }
    if (left.previous >= 0)
      consider(left.previous);
  }
}

void BytePairEncoder::encodeUncached(std::string_view word,
                                     std::vector<int32_t> &ids) const {
  if (options.ignoreMerges) {
    if (std::optional<int32_t> id = idOf(word)) {
      ids.push_back(*id);
      return;
    }
  }
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  addCharacters(word, symbols);
  mergeAll(symbols);
  for (const Symbol &symbol : symbols)
    if (!symbol.merged)
      ids.push_back(symbol.id);
}

void BytePairEncoder::encode(std::string_view word,
                             std::vector<int32_t> &ids) const {
  if (word.empty())
    return;
  if (word.size() > kCachedWordBytes)
    return encodeUncached(word, ids);
  Shard &shard = (*cache)[StringHash()(word) % kShards];
  {
    std::lock_guard<std::mutex> lock(shard.mutex);
    auto known = shard.words.find(word);
    if (known != shard.words.end()) {
      ids.insert(ids.end(), known->second.begin(), known->second.end());
      return;
    }
  }
  size_t before = ids.size();
  encodeUncached(word, ids);
  std::lock_guard<std::mutex> lock(shard.mutex);
  if (shard.words.size() < kCachedWordsPerShard)
    shard.words.try_emplace(std::string(word), ids.begin() + before, ids.end());
}

} // namespace llamarun
