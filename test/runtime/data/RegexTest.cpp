#include "runtime/data/Regex.h"

#include "test/runtime/data/TestFiles.h"

using namespace llamarun;
using namespace llamarun::test;

static std::vector<std::string> matches(const Regex &regex,
                                        std::string_view text) {
  std::vector<std::string> found;
  regex.forEachMatch(text, [&](size_t begin, size_t end) {
    found.emplace_back(text.substr(begin, end - begin));
  });
  return found;
}

using Strings = std::vector<std::string>;

TEST(Regex, KnowsUnicode) {
  EXPECT_EQ(matches(Regex("\\p{L}+", "t"), "é日x1ß"), (Strings{"é日x", "ß"}));
  EXPECT_EQ(matches(Regex("\\s", "t"), "a\u3000b\u00a0c").size(), 2u);
  EXPECT_EQ(matches(Regex("(?i)É", "t"), "é"), (Strings{"é"}));
}

TEST(Regex, FindsEmptyMatchesOnce) {
  std::vector<size_t> at;
  Regex("(?=b)|c*", "t").forEachMatch("abé", [&](size_t begin, size_t end) {
    EXPECT_EQ(begin, end);
    at.push_back(begin);
  });
  EXPECT_EQ(at, (std::vector<size_t>{0, 1, 2, 4}));
}

TEST(Regex, TakesLiteralsLiterally) {
  const std::string text("a.*[](){}^$|\\+?#-\0 \né", 22);
  EXPECT_EQ(matches(Regex::literal(text, "t"), "x" + text + "y"),
            (Strings{text}));
  EXPECT_TRUE(matches(Regex::literal("a.", "t"), "ab").empty());
}

TEST(Regex, RefusesMalformedAndHuge) {
  expectError(ExitCode::BadInput, "here: malformed regular expression",
              [] { Regex("[", "here"); });
  expectError(ExitCode::BadInput, "here: malformed regular expression",
              [] { Regex(std::string(1000, '('), "here"); });
  expectError(ExitCode::BadInput, "here: malformed regular expression",
              [] { Regex("((a{60000}){60000}){60000}", "here"); });
  expectError(ExitCode::BadInput, "here: regular expression of 100000 bytes",
              [] { Regex(std::string(100000, 'a'), "here"); });
}

TEST(Regex, StopsBacktracking) {
  Regex regex("(?:a|aa)+$", "here");
  expectError(ExitCode::BadInput, "here: the regular expression cannot",
              [&] { matches(regex, std::string(200000, 'a') + "b"); });
}
