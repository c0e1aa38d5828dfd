// The bytes are those of the protobuf package (Python, 7.36.2) for the same
// messages; test/e2e/tensorboard.py reads whole files with TensorBoard itself.
#include "runtime/board/Summary.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes) {
    out += "0123456789abcdef"[c >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

TEST(Summary, Scalars) {
  Summary summary;
  EXPECT_TRUE(summary.empty());
  summary.scalar("train/loss", 0.6931472);
  summary.scalar("eval/f1", -2);
  EXPECT_EQ(
      hex(summary.bytes()),
      "0a110a0a747261696e2f6c6f7373151872313f0a0e0a076576616c2f663115000000c0");
  EXPECT_EQ(hex(summaryEvent(1700000000.25, 300, summary)),
            "0900001040fc54d94110ac022a230a110a0a747261696e2f6c6f7373151872313f"
            "0a0e0a076576616c2f663115000000c0");
}

TEST(Summary, Histogram) {
  Summary summary;
  summary.histogram("train/ranks", {2, 0, 2});
  EXPECT_EQ(
      hex(summary.bytes()),
      "0a670a0b747261696e2f72616e6b732a5811000000000000004019000000000000084021"
      "00000000000010402900000000000020403218000000000000e03f000000000000f83f00"
      "000000000004403a18000000000000f03f00000000000000000000000000000040");
  Summary empty;
  empty.histogram("x", {});
  EXPECT_TRUE(empty.empty());
}

TEST(Summary, Text) {
  Summary summary;
  summary.text("args", "| a |\n");
  EXPECT_EQ(hex(summary.bytes()),
            "0a2f0a11617267732f746578745f73756d6d617279421008071204120208014206"
            "7c2061207c0a4a080a060a0474657874");
}

TEST(Summary, Events) {
  EXPECT_EQ(hex(versionEvent(1700000000.25)),
            "0900001040fc54d9411a0d627261696e2e4576656e743a32");
  EXPECT_EQ(hex(restartEvent(1700000000.25, 70000)),
            "0900001040fc54d94110f0a2043a020801");
  EXPECT_EQ(hex(restartEvent(1700000000.25, 0)), "0900001040fc54d9413a020801");
}

TEST(Summary, Record) {
  EXPECT_EQ(hex(tfRecord("123456789")),
            "090000000000000037f97139313233343536373839e5b08ac7");
}

} // namespace
} // namespace llamarun
