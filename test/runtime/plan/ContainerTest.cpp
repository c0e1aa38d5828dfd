#include "test/runtime/plan/PlanBuilder.h"

#include "runtime/support/Error.h"

#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

void expectBadInput(const std::string &file, const std::string &what) {
  try {
    PlanBuilder::parse(file);
    ADD_FAILURE() << "accepted: " << what;
  } catch (const Error &error) {
    ASSERT_EQ(error.code(), ExitCode::BadInput) << what;
    ASSERT_EQ(std::string(error.what()).rfind("test.fb: ", 0), 0u)
        << error.what();
  }
}

// The layout that other programs may rely on, byte for byte.
TEST(Container, HeaderLayout) {
  std::string payload = "abc";
  auto file = PlanBuilder::wrap(payload);
  ASSERT_EQ(file.size(), 67u);
  EXPECT_EQ(file.substr(0, 8), "LLAMAPLN");
  EXPECT_EQ(file.substr(8, 16),
            std::string("\x01\0\0\0\x40\0\0\0\x03\0\0\0\0\0\0\0", 16));
  // xxhsum -H2 of "abc".
  static const unsigned char digest[] = {0x06, 0xb0, 0x5a, 0xb6, 0x73, 0x3a,
                                         0x61, 0x85, 0x78, 0xaf, 0x5f, 0x94,
                                         0x89, 0x2f, 0x39, 0x50};
  EXPECT_EQ(file.substr(24, 16),
            std::string(reinterpret_cast<const char *>(digest), 16));
  EXPECT_EQ(file.substr(40, 24), std::string(24, '\0'));
  EXPECT_EQ(file.substr(64), payload);
}

TEST(Container, EveryTruncationIsRefused) {
  auto file = smallPlan().file();
  for (std::size_t size = 0; size < file.size(); ++size)
    expectBadInput(file.substr(0, size), "size " + std::to_string(size));
  expectBadInput(file + '\0', "one byte more");
}

TEST(Container, EveryBitFlipIsRefused) {
  auto file = smallPlan().file();
  ASSERT_NO_THROW(PlanBuilder::parse(file));
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
    expectBadInput(file, "bit " + std::to_string(bit));
    file[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
}

TEST(Container, VersionIsNamed) {
  auto file = smallPlan().file();
  file[8] = 9;
  try {
    PlanBuilder::parse(file);
    FAIL();
  } catch (const Error &error) {
    EXPECT_NE(std::string(error.what()).find("format version 9"),
              std::string::npos);
  }
}

} // namespace
