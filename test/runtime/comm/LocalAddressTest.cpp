#include "runtime/comm/LocalAddress.h"

#include "runtime/support/Error.h"

#include <gtest/gtest.h>

using namespace llamarun;

namespace {

TEST(LocalAddress, LoopbackForThisHost) {
  EXPECT_EQ(localAddressTowards("127.0.0.1"), "127.0.0.1");
  EXPECT_TRUE(isLoopback(localAddressTowards("localhost")));
}

TEST(LocalAddress, UnknownNameIsNamed) {
  try {
    localAddressTowards("no-such-host.invalid");
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::PeerLost);
    EXPECT_NE(std::string(error.what()).find("no-such-host.invalid"),
              std::string::npos);
  }
}

TEST(LocalAddress, Loopback) {
  EXPECT_TRUE(isLoopback("127.0.1.1"));
  EXPECT_TRUE(isLoopback("::1"));
  EXPECT_FALSE(isLoopback("10.127.0.1"));
  EXPECT_FALSE(isLoopback("fe80::1"));
}

} // namespace
