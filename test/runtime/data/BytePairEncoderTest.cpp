#include "runtime/data/BytePairEncoder.h"

#include "test/runtime/data/TestFiles.h"

#include <algorithm>
#include <random>

using namespace llamarun;
using namespace llamarun::test;
using Ids = std::vector<int32_t>;

/// BPE as its definition reads: again and again the pair of lowest rank,
/// leftmost first.
static std::vector<std::string>
mergeNaively(std::string_view word,
             const std::vector<std::pair<std::string, std::string>> &merges) {
  std::vector<std::string> parts;
  for (char c : word)
    parts.emplace_back(1, c);
  for (;;) {
    size_t best = merges.size(), at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      for (size_t rank = 0; rank < best; ++rank)
        if (merges[rank] == std::pair(parts[i], parts[i + 1])) {
          best = rank;
          at = i;
        }
    if (best == merges.size())
      return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<long>(at) + 1);
  }
}

TEST(BytePairEncoder, AgreesWithTheDefinition) {
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round) {
    // Merges of random earlier tokens over the letters a, b, c.
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::vector<std::pair<std::string, std::string>> merges;
    for (int i = 0; i < 12; ++i) {
      std::pair merge(tokens[random() % tokens.size()],
                      tokens[random() % tokens.size()]);
      std::string together = merge.first + merge.second;
      if (std::find(tokens.begin(), tokens.end(), together) != tokens.end())
        continue;
      tokens.push_back(together);
      merges.push_back(merge);
    }
    Vocabulary vocabulary;
    for (size_t i = 0; i < tokens.size(); ++i)
      vocabulary.emplace(tokens[i], static_cast<int32_t>(i));
    BytePairEncoder encoder(vocabulary, {});
    for (const auto &[left, right] : merges)
      encoder.addMerge(left, right);
    for (int k = 0; k < 50; ++k) {
      std::string word(random() % 60, 'a');
      for (char &c : word)
        c = static_cast<char>('a' + random() % 3);
      std::vector<std::string> parts;
      for (int repeat = 0; repeat < 2; ++repeat) { // the second from the cache
        Ids ids;
        encoder.encode(word, ids);
        parts.clear();
        for (int32_t id : ids)
          parts.push_back(tokens[id]);
        ASSERT_EQ(parts, mergeNaively(word, merges)) << word;
      }
    }
  }
}

TEST(BytePairEncoder, NamesUnknownTokens) {
  BytePairEncoder encoder({{"a", 0}, {"b", 1}, {"ab", 2}}, {});
  encoder.addMerge("a", "b");
  expectError(ExitCode::BadInput, "merge 1 ('b' + 'z') needs the token 'z'",
              [&] { encoder.addMerge("b", "z"); });
  expectError(ExitCode::BadInput, "needs the token 'ba'",
              [&] { encoder.addMerge("b", "a"); });
  expectError(ExitCode::BadInput, "unk_token '?'", [] {
    BytePairOptions options;
    options.unkToken = "?";
    BytePairEncoder({{"a", 0}}, options);
  });
}
