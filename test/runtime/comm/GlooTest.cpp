#include "runtime/comm/Gloo.h"

#include "runtime/support/Error.h"
#include "test/runtime/comm/CommPlan.h"
#include "test/runtime/comm/ThreadPeers.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace llamarun;
using namespace llamarun::test;

namespace {

using enum fb::CollectiveKind;
using Axes = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

/// A plan of that grid with collectives over all sets of axes.
std::shared_ptr<const Plan> planOf(unsigned dp, unsigned tp) {
  auto builder = gridPlan(dp, tp);
  auto x = builder.buffer(fb::Category::Activations, fb::DType::F32, {4});
  auto &program = builder.program(fb::ProgramKind::Evaluate, 4, 1);
  for (const Axes &axes : {Axes{0}, Axes{1}, Axes{0, 1}})
    collective(program, AllReduceSum, axes, x, x);
  return builder.load();
}

/// One rank of a test: its communicators and a device with one thread.
struct Rank {
  ThreadPeers &peers;
  std::unique_ptr<Device> device = createDevice("cpu", {.threads = 1});
  std::shared_ptr<const Plan> plan;
  std::unique_ptr<Communicators> communicators;
  unsigned rank;

  Rank(ThreadPeers &peers, unsigned dp, unsigned tp)
      : peers(peers), plan(planOf(dp, tp)),
        communicators(createCommunicators(*plan, peers, *device)),
        rank(peers.world().rank) {}

  template <typename T>
  std::vector<T> run(fb::CollectiveKind kind, const Axes &axes, fb::DType dtype,
                     std::vector<T> source, std::size_t targetCount) {
    std::vector<T> target(targetCount);
    bool inPlace = targetCount == source.size() && rank % 2;
    auto &to = inPlace ? source : target;
    CollectiveCall call{kind,
                        dtype,
                        {source.data(), source.size() * sizeof(T)},
                        {to.data(), targetCount * sizeof(T)},
                        0,
                        "title"};
    communicators->prepare(*device, axes, call);
    communicators->enqueue(*device, 0, axes, call);
    return to;
  }
};

void onGrid(unsigned dp, unsigned tp, const std::function<void(Rank &)> &body) {
  runRanks(dp * tp, [&](ThreadPeers &peers) {
    Rank rank(peers, dp, tp);
    body(rank);
    // A failed assertion ends its rank only: the others must not wait for it.
    if (testing::Test::HasFatalFailure())
      peers.fail(Error(ExitCode::PeerLost, "an assertion failed"));
    else
      peers.leave();
  });
}

Floats valuesOf(unsigned rank, std::size_t count) {
  std::mt19937 random(rank + 17);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Floats values(count);
  for (auto &value : values)
    value = uniform(random) * std::exp2(static_cast<float>(random() % 20));
  return values;
}

/// The sum over `ranks` as the header promises it: from the lowest rank up.
Floats sumOf(const std::vector<unsigned> &ranks, std::size_t count) {
  Floats sum = valuesOf(ranks[0], count);
  for (std::size_t r = 1; r < ranks.size(); ++r) {
    auto more = valuesOf(ranks[r], count);
    for (std::size_t i = 0; i < count; ++i)
      sum[i] += more[i];
  }
  return sum;
}

// From one element (fewer than ranks) to more than two pieces; the sizes lie on
// both sides of every change of algorithm.
TEST(Gloo, SumsInOrderOfRankWhateverTheSize) {
  for (unsigned size : {2u, 3u, 4u})
    onGrid(size, 1, [size](Rank &rank) {
      std::vector<unsigned> ranks(size);
      for (unsigned i = 0; i < size; ++i)
        ranks[i] = i;
      for (std::size_t count :
           {1u, 3u, 2049u, 8192u, 8193u, 70001u, 1300001u}) {
        auto got = rank.run(AllReduceSum, {0}, fb::DType::F32,
                            valuesOf(rank.rank, count), count);
        auto expected = sumOf(ranks, count);
        ASSERT_EQ(0, std::memcmp(got.data(), expected.data(), 4 * count))
            << size << " ranks, " << count;
      }
    });
}

TEST(Gloo, AxesChooseTheGroup) {
  onGrid(2, 2, [](Rank &rank) {
    unsigned r = rank.rank;
    auto got = [&](const Axes &axes) {
      return rank.run(AllReduceSum, axes, fb::DType::F32, valuesOf(r, 10), 10);
    };
    EXPECT_EQ(got({1}), sumOf({r / 2 * 2, r / 2 * 2 + 1}, 10));
    EXPECT_EQ(got({0}), sumOf({r % 2, r % 2 + 2}, 10));
    EXPECT_EQ(got({0, 1}), sumOf({0, 1, 2, 3}, 10));
  });
  // An axis of one device is no group: a copy.
  onGrid(1, 2, [](Rank &rank) {
    EXPECT_EQ(rank.run(AllReduceSum, {0}, fb::DType::F32, Floats{1, 2}, 2),
              (Floats{1, 2}));
    EXPECT_EQ(rank.run(AllReduceSum, {0, 1}, fb::DType::F32, Floats{1, 2}, 2),
              (Floats{2, 4}));
  });
}

TEST(Gloo, OtherKinds) {
  onGrid(3, 1, [](Rank &rank) {
    auto r = static_cast<float>(rank.rank);
    EXPECT_EQ(rank.run(AllReduceMax, {0}, fb::DType::F32, Floats{r, -r, 1}, 3),
              (Floats{2, 0, 1}));
    EXPECT_EQ(rank.run(AllGather, {0}, fb::DType::F32, Floats{r, 10 * r}, 6),
              (Floats{0, 0, 1, 10, 2, 20}));
    // Rank r gives 100 r + i: part j of the sums is 300 + 3 i.
    Floats source(9);
    for (std::size_t i = 0; i < 9; ++i)
      source[i] = 100 * r + static_cast<float>(i);
    EXPECT_EQ(rank.run(ReduceScatterSum, {0}, fb::DType::F32, source, 3),
              (Floats{300 + 9 * r, 303 + 9 * r, 306 + 9 * r}));
    EXPECT_EQ(rank.run(Broadcast, {0}, fb::DType::F32, Floats{r + 5, r}, 2),
              (Floats{5, 0}));
  });
}

TEST(Gloo, LargeScatterAndGather) {
  constexpr std::size_t kPart = 700001; // more than one piece
  onGrid(2, 1, [](Rank &rank) {
    auto sum = sumOf({0, 1}, 2 * kPart);
    auto mine = rank.run(ReduceScatterSum, {0}, fb::DType::F32,
                         valuesOf(rank.rank, 2 * kPart), kPart);
    ASSERT_TRUE(
        std::equal(mine.begin(), mine.end(), sum.begin() + rank.rank * kPart));
    ASSERT_EQ(rank.run(AllGather, {0}, fb::DType::F32, mine, 2 * kPart), sum);
  });
}

TEST(Gloo, OtherTypes) {
  onGrid(2, 1, [](Rank &rank) {
    std::int64_t r = rank.rank;
    EXPECT_EQ(rank.run(AllReduceSum, {0}, fb::DType::I64,
                       std::vector<std::int64_t>{1ll << 40, r}, 2),
              (std::vector<std::int64_t>{1ll << 41, 1}));
    EXPECT_EQ(rank.run(AllReduceSum, {0}, fb::DType::F64,
                       std::vector<double>{0.25}, 1),
              (std::vector<double>{0.5}));
    // 1.0 + 1.0 = 2.0 in bf16.
    EXPECT_EQ(rank.run(AllReduceSum, {0}, fb::DType::BF16,
                       std::vector<std::uint16_t>(40001, 0x3f80), 40001),
              std::vector<std::uint16_t>(40001, 0x4000));
    using Bytes = std::vector<std::uint8_t>;
    auto b = static_cast<std::uint8_t>(r);
    EXPECT_EQ(rank.run(AllGather, {0}, fb::DType::U8, Bytes{b, 7}, 4),
              (Bytes{0, 7, 1, 7}));
    EXPECT_THROW(rank.run(AllReduceSum, {0}, fb::DType::U8, Bytes{b}, 1),
                 Error);
  });
}

TEST(Gloo, TellsPeersWhatItDoes) {
  ThreadJob job(2);
  runRanks(job, [](ThreadPeers &peers) {
    Rank rank(peers, 2, 1);
    rank.run(AllReduceSum, {0}, fb::DType::F32, Floats{1}, 1);
    peers.leave();
  });
  EXPECT_EQ(job.collectives[0], (std::vector<std::string>{"title"}));
  EXPECT_EQ(job.collectives[1], (std::vector<std::string>{"title"}));
}

/// What run() of a sum of `count` floats ends with.
std::string failureOf(Rank &rank, std::size_t count) {
  try {
    rank.run(AllReduceSum, {0}, fb::DType::F32, Floats(count), count);
  } catch (const CollectiveError &error) {
    EXPECT_EQ(error.code(), ExitCode::PeerLost);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

// Small and large: waiting to receive, and waiting with sockets full. From
// another thread, once while it waits and once before.
TEST(Gloo, AbortEndsTheWait) {
  for (std::size_t count : {10u, 20u * 1000 * 1000})
    runRanks(2, [count](ThreadPeers &peers) {
      Rank rank(peers, 2, 1);
      if (rank.rank == 0) {
        std::thread other([&] {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          rank.communicators->abort();
        });
        EXPECT_EQ(failureOf(rank, count),
                  "title: ended because a peer was lost");
        other.join();
        EXPECT_EQ(failureOf(rank, count),
                  "title: ended because a peer was lost");
      }
      peers.barrier(); // the other one never enters
    });
}

// A member that goes away: the error is the control plane's if it knows one.
TEST(Gloo, LostMemberIsNamed) {
  runRanks(3, [](ThreadPeers &peers) {
    auto rank = std::make_unique<Rank>(peers, 3, 1);
    peers.barrier(); // all are connected
    if (rank->rank == 2) {
      rank.reset();
      peers.fail(Error(ExitCode::PeerLost, "rank 2 was killed"));
      return;
    }
    EXPECT_EQ(failureOf(*rank, 5 * 1000 * 1000), "title: rank 2 was killed");
  });
}

TEST(Gloo, RunsInGraphsInProgramOrder) {
  // A chain over two streams that only comes out right in this order, and a
  // kernel's worth of copies beside it.
  ThreadJob job(2);
  runRanks(job, [](ThreadPeers &peers) {
    auto plan = planOf(2, 1);
    auto device = createDevice("cpu", {.threads = 3});
    auto communicators = createCommunicators(*plan, peers, *device);
    Axes axes{0};
    Floats a(100, 1), b(100, 2), c(5000, 3), d(5000);
    auto range = [](Floats &v) { return DeviceRange{v.data(), 4 * v.size()}; };
    device->beginCapture(2);
    for (auto [values, stream, title] :
         {std::tuple(&b, 1u, "b"), std::tuple(&a, 0u, "a"),
          std::tuple(&b, 1u, "b2")}) {
      CollectiveCall call{AllReduceSum,   fb::DType::F32, range(*values),
                          range(*values), stream,         title};
      communicators->enqueue(*device, stream, axes, call);
      device->copy(0, range(d), range(c));
    }
    auto graph = device->endCapture();
    for (int i = 1; i <= 20; ++i) {
      device->run(*graph);
      ASSERT_EQ(a[99], std::exp2(static_cast<float>(i)));
      ASSERT_EQ(b[99], 2 * std::exp2(static_cast<float>(2 * i)));
    }
    EXPECT_EQ(d, c);
    peers.leave();
  });
  ASSERT_EQ(job.collectives[0].size(), 60u);
  EXPECT_EQ(job.collectives[0], job.collectives[1]);
  for (std::size_t i = 0; i < 60; i += 3) {
    EXPECT_EQ(job.collectives[0][i], "b");
    EXPECT_EQ(job.collectives[0][i + 1], "a");
    EXPECT_EQ(job.collectives[0][i + 2], "b2");
  }
}

} // namespace
