#include "runtime/device/cpu/ThreadPool.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

using namespace llamarun;

namespace {

class ThreadPoolTest : public testing::TestWithParam<unsigned> {};

// Many short loops of changing length back to back: what a late worker must
// not confuse. Each chunk runs once, and all have run on return.
TEST_P(ThreadPoolTest, EveryChunkRunsOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  struct Loop {
    std::unique_ptr<std::atomic<int>[]> hits;
  } loop{std::make_unique<std::atomic<int>[]>(64)};
  auto body = [](void *context, std::uint32_t i) {
    static_cast<Loop *>(context)->hits[i].fetch_add(1,
                                                    std::memory_order_relaxed);
  };
  for (std::uint32_t round = 0; round < 20000; ++round) {
    if (round % 1000 == 0)
      pool.hold();
    if (round % 1000 == 500)
      pool.release();
    std::uint32_t chunks = round * 7 % 65;
    pool.run(chunks, body, &loop);
    for (std::uint32_t i = 0; i < 64; ++i)
      ASSERT_EQ(loop.hits[i].exchange(0), i < chunks) << round;
  }
}

TEST_P(ThreadPoolTest, WakesSleepingWorkers) {
  ThreadPool pool(GetParam());
  std::atomic<int> sum{0};
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    pool.run(
        16,
        [](void *sum, std::uint32_t i) {
          *static_cast<std::atomic<int> *>(sum) += static_cast<int>(i);
        },
        &sum);
    EXPECT_EQ(sum.exchange(0), 120);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest,
                         testing::Values(1u, 2u, 3u, 7u));

} // namespace
