#include "runtime/launch/LinePrefix.h"

#include <gtest/gtest.h>

using llamarun::LinePrefix;

namespace {

TEST(LinePrefixTest, LinesComeWhole) {
  LinePrefix lines("[rank 1] ");
  EXPECT_EQ(lines.add("a"), "");
  EXPECT_EQ(lines.add("b\n\nc\nd"), "[rank 1] ab\n[rank 1] \n[rank 1] c\n");
  EXPECT_EQ(lines.add(""), "");
  EXPECT_EQ(lines.end(), "[rank 1] d\n");
  EXPECT_EQ(lines.end(), "");
  EXPECT_EQ(lines.add("\n"), "[rank 1] \n");
}

TEST(LinePrefixTest, EndlessLinesAreBroken) {
  LinePrefix lines("> ");
  std::string out;
  for (int i = 0; i < 5; ++i)
    out += lines.add(std::string(LinePrefix::kLongest / 2, 'x'));
  EXPECT_FALSE(out.empty()) << "not kept in memory without end";
  out += lines.end();
  std::size_t letters = 0;
  for (char c : out)
    letters += c == 'x';
  EXPECT_EQ(letters, 5 * (LinePrefix::kLongest / 2));
}

} // namespace
