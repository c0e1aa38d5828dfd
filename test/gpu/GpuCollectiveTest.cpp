// Collectives of two GPUs: two ranks, each a thread with a device of its own.
#include "runtime/comm/Communicator.h"
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"
#include "test/runtime/comm/CommPlan.h"
#include "test/runtime/comm/ThreadPeers.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

using enum fb::CollectiveKind;
using Floats = std::vector<float>;
using Halves = std::vector<std::uint16_t>; // bf16

bool haveTwo() {
  try {
    createDevice("cuda", {.ordinal = 1});
    return true;
  } catch (const Error &) {
    return false;
  }
}

template <typename T> auto bytesOf(std::vector<T> &v) {
  return std::as_writable_bytes(std::span(v));
}

struct Operand {
  const char *name;
  fb::DType dtype;
  PlanBuilder::Shape shape;
};

/// A plan for two GPUs whose program has one of each kind, over two streams;
/// operands are weights, so that a test can read and write them.
PlanBuilder allKinds() {
  using enum fb::DType;
  auto b = gridPlan(1, 2, "cuda");
  b.plan.target->arch = "sm_90";
  auto tensor = [&](const char *name, fb::DType dtype,
                    const PlanBuilder::Shape &shape) {
    return b.tensor(fb::Role::Weight, name, shape, dtype);
  };
  auto sum = tensor("sum", BF16, {100, 4096});
  auto big = tensor("big", F32, {5000001});
  auto most = tensor("most", F32, {1000});
  auto part = tensor("part", F32, {3000});
  auto all = tensor("all", F32, {6000});
  auto from = tensor("from", F32, {2000});
  auto mine = tensor("mine", F32, {1000});
  auto root = tensor("root", I64, {5});
  auto &program = b.program(fb::ProgramKind::Evaluate, 4, 4);
  program.streams = 2;
  collective(program, AllReduceSum, {1}, sum, sum);               // 0
  collective(program, AllReduceSum, {0, 1}, big, big, 1, {0});    // 1
  collective(program, AllReduceMax, {1}, most, most, 0, {1});     // 2
  collective(program, AllGather, {1}, part, all);                 // 3
  collective(program, ReduceScatterSum, {1}, from, mine, 1, {3}); // 4
  collective(program, Broadcast, {1}, root, root, 1);             // 5
  PlanBuilder::step(program, fb::FillT{}, 0, {5}).target =
      program.outputs.back()->buffer;
  return b;
}

/// Values that every order of addition sums exactly.
Floats small(unsigned rank, std::size_t count) {
  Floats values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>((i * 7 + rank * 13) % 61) - 30;
  return values;
}
std::uint16_t toHalf(float value) { // exact for small integers
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<std::uint16_t>(bits >> 16);
}

/// Runs on both GPUs: body(session, rank).
void onTwo(const PlanBuilder &builder, bool debugSync,
           const std::function<void(Session &, ThreadPeers &, Communicators &)>
               &body) {
  auto plan = builder.load();
  runRanks(2, [&](ThreadPeers &peers) {
    auto device = createDevice("cuda", {.ordinal = peers.world().rank});
    auto communicators = createCommunicators(*plan, peers, *device);
    {
      Session session(
          plan, std::move(device),
          {.communicators = communicators.get(), .debugSync = debugSync});
      body(session, peers, *communicators);
    }
  });
}

TEST(GpuCollective, EveryKindInAndOutOfGraphs) {
  if (!haveTwo())
    GTEST_SKIP() << "needs two GPUs";
  for (bool debugSync : {true, false})
    onTwo(allKinds(), debugSync,
          [](Session &session, ThreadPeers &peers, Communicators &) {
            unsigned r = peers.world().rank;
            auto put = [&](const char *name, auto values) {
              session.writeTensor(fb::Role::Weight, name, bytesOf(values));
            };
            auto get = [&](const char *name, auto values) {
              session.readTensor(fb::Role::Weight, name, bytesOf(values));
              return values;
            };
            Halves sum(100 * 4096);
            auto values = small(r, sum.size());
            for (std::size_t i = 0; i < sum.size(); ++i)
              sum[i] = toHalf(values[i]);
            put("sum", sum);
            put("big", small(r, 5000001));
            put("most", small(r, 1000));
            put("part", small(r, 3000));
            put("from", small(r, 2000));
            put("root", std::vector<std::int64_t>{r + 7, 1ll << 40, 0, -1, r});
            session.run(*session.find(fb::ProgramKind::Evaluate, 4, 4)).wait();

            auto zero = small(0, 5000001), one = small(1, 5000001);
            auto halves = get("sum", Halves(sum.size()));
            auto big = get("big", Floats(5000001));
            auto most = get("most", Floats(1000));
            auto all = get("all", Floats(6000));
            auto mine = get("mine", Floats(1000));
            for (std::size_t i = 0; i < halves.size(); ++i)
              ASSERT_EQ(halves[i], toHalf(zero[i] + one[i])) << i;
            for (std::size_t i = 0; i < big.size(); ++i)
              ASSERT_EQ(big[i], zero[i] + one[i]) << i;
            for (std::size_t i = 0; i < 1000; ++i) {
              ASSERT_EQ(most[i], std::max(zero[i], one[i])) << i;
              ASSERT_EQ(mine[i], zero[i + 1000 * r] + one[i + 1000 * r]) << i;
            }
            for (std::size_t i = 0; i < 3000; ++i) {
              ASSERT_EQ(all[i], zero[i]) << i;
              ASSERT_EQ(all[i + 3000], one[i]) << i;
            }
            EXPECT_EQ(get("root", std::vector<std::int64_t>(5)),
                      (std::vector<std::int64_t>{7, 1ll << 40, 0, -1, 0}));
            peers.leave();
          });
}

// Values whose sum depends on the order: all ranks get the same bytes, twice.
TEST(GpuCollective, SameBytesOnEveryRankAndInTwoRuns) {
  if (!haveTwo())
    GTEST_SKIP() << "needs two GPUs";
  Floats results[2][2];
  onTwo(allKinds(), false,
        [&](Session &session, ThreadPeers &peers, Communicators &) {
          unsigned r = peers.world().rank;
          for (auto &result : results[r]) {
            Floats big(5000001);
            for (std::size_t i = 0; i < big.size(); ++i)
              big[i] = std::sin(static_cast<float>(i + 1) * (1.f + 0.37f * r)) *
                       std::exp2(static_cast<float>((i + r) % 24));
            session.writeTensor(fb::Role::Weight, "big", bytesOf(big));
            session.run(*session.find(fb::ProgramKind::Evaluate, 4, 4)).wait();
            result.resize(big.size());
            session.readTensor(fb::Role::Weight, "big", bytesOf(result));
          }
          peers.leave();
        });
  auto bytes = 4 * results[0][0].size();
  for (auto *other : {&results[0][1], &results[1][0], &results[1][1]})
    EXPECT_EQ(0, std::memcmp(results[0][0].data(), other->data(), bytes));
}

/// Rank 1 never enters; rank 0, whose kernel waits, is told after a moment.
/// Ends the process as llamarun does, with rank 0's exit code: the kernel may
/// still run.
[[noreturn]] void loseRankOne() {
  using Clock = std::chrono::steady_clock;
  std::atomic<int> code{0};
  onTwo(
      allKinds(), false,
      [&](Session &session, ThreadPeers &peers, Communicators &communicators) {
        auto *program = session.find(fb::ProgramKind::Evaluate, 4, 4);
        session.run(*program).wait();
        peers.barrier();
        if (peers.world().rank == 1) {
          for (int i = 0; i < 500 && !code; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
          std::_Exit(code ? code.load() : 77);
        }
        auto run = session.run(*program);
        std::thread([&] {
          std::this_thread::sleep_for(std::chrono::milliseconds(200));
          peers.fail(Error(ExitCode::PeerLost, "rank 1 was killed"));
          communicators.abort();
        }).detach();
        auto begin = Clock::now();
        try {
          run.wait();
        } catch (const Error &error) {
          std::fprintf(stderr, "%s\n", error.what());
          auto seconds = std::chrono::duration<double>(Clock::now() - begin);
          if (seconds.count() < 0.1)
            code = 78; // it did not wait for rank 1
          else
            code = seconds.count() > 1 ? 79 : static_cast<int>(error.code());
        }
      });
  std::_Exit(code ? code.load() : 76);
}

TEST(GpuCollectiveDeathTest, LostPeerEndsAWaitingGraph) {
  if (!haveTwo())
    GTEST_SKIP() << "needs two GPUs";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(loseRankOne(), testing::ExitedWithCode(5),
              "program 'evaluate_4' failed on the device: rank 1 was killed");
}

} // namespace
