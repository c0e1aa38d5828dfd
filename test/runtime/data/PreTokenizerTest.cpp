#include "runtime/data/PreTokenizer.h"

#include <gtest/gtest.h>

using namespace llamarun;
using Words = std::vector<std::string>;

static Words apply(const PreTokenizer &preTokenizer, std::string text,
                   bool atStart = true) {
  std::vector<Piece> pieces = {{std::move(text), -1, atStart}};
  preTokenizer.apply(pieces);
  Words words;
  for (const Piece &piece : pieces)
    words.push_back(piece.text);
  return words;
}

// Expected words of this file: huggingface/tokenizers 0.23.3.
TEST(PreTokenizer, SplitsByEveryBehavior) {
  auto split = [](SplitBehavior behavior, bool invert) {
    PreTokenizer preTokenizer;
    preTokenizer.addSplit(Regex("-", "test"), behavior, invert);
    return apply(preTokenizer, "-a--b-c--");
  };
  const Words isolated = {"-", "a", "-", "-", "b", "-", "c", "-", "-"};
  const Words previous = {"-", "a-", "-", "b-", "c-", "-"};
  const Words next = {"-a", "-", "-b", "-c", "-", "-"};
  const Words contiguous = {"-", "a", "--", "b", "-", "c", "--"};
  EXPECT_EQ(split(SplitBehavior::Removed, false), (Words{"a", "b", "c"}));
  EXPECT_EQ(split(SplitBehavior::Removed, true), Words(6, "-"));
  EXPECT_EQ(split(SplitBehavior::Isolated, false), isolated);
  EXPECT_EQ(split(SplitBehavior::Isolated, true), isolated);
  EXPECT_EQ(split(SplitBehavior::MergedWithPrevious, false), previous);
  EXPECT_EQ(split(SplitBehavior::MergedWithPrevious, true), next);
  EXPECT_EQ(split(SplitBehavior::MergedWithNext, false), next);
  EXPECT_EQ(split(SplitBehavior::MergedWithNext, true), previous);
  EXPECT_EQ(split(SplitBehavior::Contiguous, false), contiguous);
  EXPECT_EQ(split(SplitBehavior::Contiguous, true), contiguous);
}

TEST(PreTokenizer, MarksSpacesAsSentencePiece) {
  using Prepend = PreTokenizer::Prepend;
  auto words = [](Prepend prepend, bool split, bool atStart) {
    PreTokenizer preTokenizer;
    preTokenizer.addMetaspace("▁", prepend, split);
    return apply(preTokenizer, "a  b▁c ", atStart);
  };
  const Words marked = {"▁a", "▁", "▁b", "▁c", "▁"};
  const Words bare = {"a", "▁", "▁b", "▁c", "▁"};
  EXPECT_EQ(words(Prepend::Always, true, true), marked);
  EXPECT_EQ(words(Prepend::Always, true, false), marked);
  EXPECT_EQ(words(Prepend::First, true, true), marked);
  EXPECT_EQ(words(Prepend::First, true, false), bare);
  EXPECT_EQ(words(Prepend::Never, true, true), bare);
  EXPECT_EQ(words(Prepend::Always, false, true), Words{"▁a▁▁b▁c▁"});
  EXPECT_EQ(words(Prepend::Never, false, true), Words{"a▁▁b▁c▁"});
}

TEST(PreTokenizer, MapsBytes) {
  PreTokenizer preTokenizer;
  preTokenizer.addByteLevel(true, true);
  EXPECT_EQ(apply(preTokenizer, "it's 12é  x"),
            (Words{"Ġit", "'s", "Ġ12", "Ã©", "Ġ", "Ġx"}));
  EXPECT_EQ(apply(preTokenizer, ""), Words{});
}
