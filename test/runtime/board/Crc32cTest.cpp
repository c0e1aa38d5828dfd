#include "runtime/board/Crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace llamarun {
namespace {

// RFC 3720, appendix B.4.
TEST(Crc32c, IsThatOfTheRfc) {
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(crc32c(descending), 0x113fdb5cu);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(Crc32c, Masks) {
  // 0xe3069283 rotated right by 15 bits is 0x2507c60d.
  EXPECT_EQ(maskedCrc32c("123456789"), 0x2507c60du + 0xa282ead8u);
  EXPECT_EQ(maskedCrc32c(""), 0xa282ead8u);
}

} // namespace
} // namespace llamarun
