#include "runtime/comm/Watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace llamarun;
using testing::HasSubstr;

namespace {

using Time = Watch::Time;

Time at(double seconds) {
  return Time(std::chrono::duration_cast<Watch::Clock::duration>(
      std::chrono::duration<double>(seconds)));
}

/// Signs of life of all ranks until `end`, without progress.
void beat(Watch &watch, unsigned size, double from, double end) {
  for (double t = from; t <= end; t += 0.25)
    for (unsigned r = 0; r < size; ++r)
      watch.heard(r, watch.activity(r), at(t));
}

TEST(WatchTest, TheOneBehindInCollectivesIsToBlame) {
  Watch watch(3, 10, 5, at(0));
  for (unsigned r = 0; r < 3; ++r)
    watch.heard(r, {.gathers = 2, .step = 7, .collectives = r == 1 ? 4u : 5u},
                at(0.1));
  beat(watch, 3, 0.25, 10);
  EXPECT_FALSE(watch.judge(at(10)));
  auto verdict = watch.judge(at(10.2));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1u);
  EXPECT_EQ(verdict->cause, "no progress for 10 s");
}

TEST(WatchTest, StepsCountMoreThanCollectivesAndCallsMoreThanSteps) {
  {
    Watch watch(2, 10, 100, at(0));
    watch.heard(0, {.step = 8, .collectives = 0}, at(0));
    watch.heard(1, {.step = 7, .collectives = 90}, at(0));
    EXPECT_EQ(watch.judge(at(11))->rank, 1u);
  }
  // One evaluates its share, the other waits for the results: in a later call.
  Watch watch(2, 10, 100, at(0));
  watch.heard(0, {.gathers = 3, .step = 7, .collectives = 90}, at(0));
  watch.heard(1, {.gathers = 4, .step = 7, .collectives = 0}, at(0));
  EXPECT_EQ(watch.judge(at(11))->rank, 0u);
}

TEST(WatchTest, WaitingForOneThatWorksIsNoHang) {
  Watch watch(2, 10, 100, at(0));
  watch.heard(0, {.gathers = 1}, at(0));
  for (std::uint64_t t = 0; t < 50; ++t) {
    watch.heard(1, {.gathers = 0, .progress = t}, at(static_cast<double>(t)));
    EXPECT_FALSE(watch.judge(at(static_cast<double>(t) + 0.5))) << t;
  }
  EXPECT_EQ(watch.judge(at(60))->rank, 1u);
}

TEST(WatchTest, AllInOneCollective) {
  Watch watch(3, 10, 100, at(0));
  for (unsigned r = 0; r < 3; ++r)
    watch.heard(r, {.step = 1, .collectives = 2}, at(r == 2 ? 0.5 : 1));
  auto verdict = watch.judge(at(12));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 2u) << "it has been there longest";
  EXPECT_THAT(verdict->cause, HasSubstr("as all others"));
}

TEST(WatchTest, SilenceIsFoundSooner) {
  Watch watch(2, 60, 5, at(0));
  watch.heard(0, {.step = 1}, at(6));
  auto verdict = watch.judge(at(6));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1u);
  EXPECT_THAT(verdict->cause, HasSubstr("no sign of life for 5 s"));
}

TEST(WatchTest, OwnPausesAreForgiven) {
  Watch watch(2, 60, 5, at(0));
  watch.forgive(std::chrono::seconds(100));
  EXPECT_FALSE(watch.judge(at(104)));
  EXPECT_TRUE(watch.judge(at(106)));
}

TEST(WatchTest, WhoLeftIsNotWatched) {
  Watch watch(2, 10, 5, at(0));
  watch.heard(0, {.step = 9, .left = true}, at(0));
  watch.heard(1, {.step = 9, .left = true}, at(0));
  EXPECT_FALSE(watch.judge(at(1000)));
}

} // namespace
