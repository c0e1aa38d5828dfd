#include "runtime/backup/Retry.h"

#include "runtime/backup/Http.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

TEST(RetryPolicy, PausesAreARandomShareOfADoublingDelay) {
  double share = 1;
  RetryPolicy policy({.attempts = 8, .first = 1, .longest = 20},
                     [&] { return share; });
  double ceilings[] = {1, 2, 4, 8, 16, 20, 20};
  for (unsigned failures = 1; failures <= 7; ++failures) {
    share = 1;
    EXPECT_DOUBLE_EQ(*policy.pause(failures, {}), ceilings[failures - 1]);
    share = 0; // full jitter: down to nothing
    EXPECT_DOUBLE_EQ(*policy.pause(failures, {}), 0);
  }
  EXPECT_FALSE(policy.pause(8, {}));
  EXPECT_FALSE(policy.pause(9, 1.0));
}

TEST(RetryPolicy, ThreeAttemptsAtLeastByDefault) {
  RetryPolicy policy({}, [] { return 0.5; });
  EXPECT_GE(policy.attempts(), 3u);
}

TEST(RetryPolicy, WaitsAsLongAsItIsAskedUpToAMinute) {
  RetryPolicy policy({}, [] { return 0.5; });
  EXPECT_DOUBLE_EQ(*policy.pause(1, 7.0), 7);
  EXPECT_DOUBLE_EQ(*policy.pause(1, 1e9), 60);
  EXPECT_DOUBLE_EQ(*policy.pause(1, -5.0), 0.5);
}

TEST(Retry, ReadsHttpsDates) {
  // RFC 9110's example is 784887151 by `date -u -d`.
  auto date = parseHttpDate("Tue, 15 Nov 1994 08:12:31 GMT");
  ASSERT_TRUE(date);
  EXPECT_EQ(date->time_since_epoch().count(), 784887151);
  EXPECT_FALSE(parseHttpDate("yesterday"));
  EXPECT_FALSE(parseHttpDate(""));
  EXPECT_DOUBLE_EQ(*parseRetryAfter("120", *date), 120);
  EXPECT_DOUBLE_EQ(*parseRetryAfter("Tue, 15 Nov 1994 08:12:41 GMT", *date),
                   10);
  EXPECT_FALSE(parseRetryAfter("soon", *date));
  EXPECT_FALSE(parseRetryAfter("", *date));
}

TEST(SystemClock, StopsWaitingWhenAsked) {
  SystemClock clock([] { return true; });
  EXPECT_THROW(clock.wait(3600), Stopped);
}

} // namespace
} // namespace llamarun
