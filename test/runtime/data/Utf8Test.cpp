#include "runtime/data/Utf8.h"

#include <gtest/gtest.h>

using namespace llamarun;

static constexpr size_t kAllWell = std::string_view::npos;

TEST(Utf8, RoundTripsEveryCodePoint) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    std::string text = "x";
    appendUtf8(text, c);
    bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(findInvalidUtf8(text), surrogate ? 1 : kAllWell) << c;
    if (surrogate)
      continue;
    ASSERT_EQ(codePointAt(text, 1), c);
    ASSERT_EQ(utf8Length(text[1]), text.size() - 1);
    ASSERT_EQ(previousCharacter(text, text.size()), 1u);
  }
}

TEST(Utf8, FindsWhatIsMalformed) {
  const std::pair<std::string_view, size_t> kCases[] = {
      {"", kAllWell},
      {"eight ascii bytes and \xC3\xA9", kAllWell},
      {"\x80", 0},                // tail without lead
      {"abcdefgh\xC3", 8},        // cut off
      {"abcdefghij\xE6\x97", 10}, // cut off
      {"\xF0\x9F\xA6", 0},        // cut off
      {"\xC0\x80", 0},            // overlong NUL
      {"\xC1\xBF", 0},            // overlong
      {"\xE0\x9F\xBF", 0},        // overlong
      {"\xF0\x8F\xBF\xBF", 0},    // overlong
      {"\xED\xA0\x80", 0},        // surrogate
      {"\xF4\x90\x80\x80", 0},    // above U+10FFFF
      {"\xF5\x80\x80\x80", 0},    // no lead
      {"a\xFF", 1},
      {"\xC3\x28", 0}};
  for (auto [text, at] : kCases)
    EXPECT_EQ(findInvalidUtf8(text), at) << text;
}
