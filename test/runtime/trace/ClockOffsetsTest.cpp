#include "runtime/trace/ClockOffsets.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace llamarun {
namespace {

// Exchanges of any length around moments that both clocks saw: the true offset
// is always within the bound, and the quickest exchanges make it narrow.
TEST(ClockOffsets, BoundsHoldTheTruth) {
  std::mt19937 random(3);
  for (std::int64_t truth : {0ll, 123456789ll, -987654321012ll}) {
    std::vector<ClockExchange> first, other;
    for (int i = 0; i < 50; ++i) {
      std::int64_t moment = 1000000000 + 1000000 * i;
      auto some = [&] { return static_cast<std::int64_t>(random() % 50000); };
      first.push_back({moment - some(), moment + some()});
      other.push_back({moment + truth - some(), moment + truth + some()});
    }
    auto found = clockOffset(first, other);
    EXPECT_GE(found.error, 0);
    EXPECT_LT(found.error, 20000);
    EXPECT_LE(std::abs(found.offset - truth), found.error);
  }
}

TEST(ClockOffsets, OneExchange) {
  std::vector<ClockExchange> first{{100, 200}}, other{{1100, 1300}};
  auto found = clockOffset(first, other); // 900 to 1200
  EXPECT_EQ(found.offset, 1050);
  EXPECT_EQ(found.error, 150);
}

// A clock that was set in between: told by an error below 0.
TEST(ClockOffsets, Contradiction) {
  std::vector<ClockExchange> first{{100, 200}, {300, 400}},
      other{{100, 200}, {9300, 9400}};
  EXPECT_LT(clockOffset(first, other).error, 0);
}

TEST(ClockOffsets, TheSameHostHasOneClock) {
  EXPECT_EQ(clockIdentity(), clockIdentity());
}

} // namespace
} // namespace llamarun
