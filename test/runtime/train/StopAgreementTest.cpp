#include "runtime/train/StopAgreement.h"

#include "test/runtime/train/ThreadRanks.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <thread>
#include <utility>

namespace llamarun {
namespace {

TEST(StopAgreement, AloneStopsAtOnce) {
  Ranks ranks;
  int signal = 0;
  StopAgreement agreement(ranks, [&] { return signal; });
  EXPECT_EQ(agreement.after(1), 0);
  signal = SIGTERM;
  EXPECT_EQ(agreement.after(2), SIGTERM);
}

/// Steps of four ranks as collectives tie them: none is more than one ahead.
/// \param asked the rank that gets the signal, at its step 20.
void expectSameEnd(unsigned asked, std::chrono::microseconds step) {
  std::array<std::uint64_t, 4> last{};
  std::array<int, 4> signals{};
  std::array<std::atomic<std::uint64_t>, 4> at{};
  test::runRanks(4, [&](Peers &peers) {
    auto plan = tiny::makePlan({.dp = 4});
    Ranks ranks(*plan, &peers);
    unsigned rank = ranks.rank();
    StopAgreement agreement(ranks, [&, rank] {
      return rank == asked && at[rank] >= 20 ? SIGINT : 0;
    });
    for (std::uint64_t i = 1; i <= 100'000 && !signals[rank]; ++i) {
      at[rank] = last[rank] = i;
      std::this_thread::sleep_for(step * (rank + 1) / 4);
      signals[rank] = agreement.after(i);
      // An exchange of the loop's own, as an evaluation is.
      if (i % 7 == 0) {
        agreement.settle();
        EXPECT_EQ(ranks.gather(std::to_string(i))[3 - rank], std::to_string(i));
      }
    }
  });
  for (unsigned rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(last[rank], last[0]);
    EXPECT_EQ(signals[rank], SIGINT);
  }
  EXPECT_GE(last[0], 20u);
}

// What rides along comes to everybody once and in order, whoever waits for it.
TEST(StopAgreement, CarriesARider) {
  std::array<std::string, 3> got;
  test::runRanks(3, [&](Peers &peers) {
    auto plan = tiny::makePlan({.dp = 3});
    Ranks ranks(*plan, &peers);
    std::string next, &all = got[ranks.rank()];
    StopAgreement agreement(ranks, [] { return 0; },
                            {[&] { return std::exchange(next, ""); },
                             [&](const std::vector<std::string> &theirs) {
                               for (auto &bytes : theirs)
                                 all += bytes;
                             }});
    for (std::uint64_t i = 1; i <= 300; ++i) {
      next += static_cast<char>('a' + ranks.rank());
      agreement.after(i);
      if (i % 50 == 0)
        agreement.settle();
    }
    agreement.settle();
    // Steps after the last exchange have nobody to go with.
    for (auto &bytes : ranks.exchange(next))
      all += bytes;
  });
  for (auto &all : got) {
    EXPECT_EQ(all, got[0]);
    for (char letter : {'a', 'b', 'c'})
      EXPECT_EQ(std::ranges::count(all, letter), 300);
  }
}

// Two riders get each their own, whatever the bytes and their lengths.
TEST(StopAgreement, BothRidersGetTheirOwn) {
  std::vector<std::vector<std::string>> first, second;
  std::string one, two;
  auto keep = [](auto &where) {
    return
        [&where](const std::vector<std::string> &all) { where.push_back(all); };
  };
  auto both = StopAgreement::both({[&] { return one; }, keep(first)},
                                  {[&] { return two; }, keep(second)});
  std::vector<std::string> sent;
  const std::pair<std::string, std::string> kSaid[] = {
      {"", ""}, {"a", ""}, {"", "b"}, {std::string("\0x\0", 3), "\1"}};
  for (auto &[a, b] : kSaid) {
    one = a;
    two = b;
    sent.push_back(both.take());
  }
  both.compare(sent);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(first[0][i], kSaid[i].first) << i;
    EXPECT_EQ(second[0][i], kSaid[i].second) << i;
  }
  // One of them, or none.
  StopAgreement::Rider alone{[] { return std::string("x"); }, keep(first)};
  EXPECT_EQ(StopAgreement::both(alone, {}).take(), "x");
  EXPECT_EQ(StopAgreement::both({}, alone).take(), "x");
  EXPECT_FALSE(StopAgreement::both({}, {}).take);
  for (std::string bad : {std::string("short"), std::string(8, '\x7f')})
    expectFailure(ExitCode::PeerLost, {"rank 1", "two messages"}, [&] {
      both.compare({sent[1], bad});
    });
}

TEST(StopAgreement, ARidersErrorIsEverybodys) {
  expectFailure(ExitCode::Numerics, {"differs"}, [] {
    test::runRanks(2, [](Peers &peers) {
      auto plan = tiny::makePlan({.dp = 2});
      Ranks ranks(*plan, &peers);
      StopAgreement agreement(ranks, [] { return 0; },
                              {[] { return std::string("x"); },
                               [](const std::vector<std::string> &) {
                                 fail(ExitCode::Numerics, "differs");
                               }});
      agreement.after(1);
      agreement.settle();
    });
  });
}

TEST(StopAgreement, AllStopAfterTheSameStep) {
  expectSameEnd(0, std::chrono::microseconds(0));
  expectSameEnd(2, std::chrono::microseconds(500));
  expectSameEnd(3, std::chrono::microseconds(4000));
}

TEST(StopAgreement, SlowStepsStopAfterTwo) {
  std::uint64_t end = 0;
  test::runRanks(2, [&](Peers &peers) {
    auto plan = tiny::makePlan({.dp = 2});
    Ranks ranks(*plan, &peers);
    std::uint64_t i = 0;
    StopAgreement agreement(ranks,
                            [&] { return i >= 3 && !ranks.first() ? 15 : 0; });
    while (!agreement.after(++i))
      std::this_thread::sleep_for(std::chrono::milliseconds(110));
    if (ranks.first())
      end = i;
  });
  EXPECT_EQ(end, 4u); // posted after step 3, taken after step 4
}

TEST(StopAgreement, EndsWithAFailingRank) {
  expectFailure(ExitCode::Storage, {"disk full"}, [] {
    test::runRanks(2, [](Peers &peers) {
      auto plan = tiny::makePlan({.dp = 2});
      Ranks ranks(*plan, &peers);
      StopAgreement agreement(ranks, [] { return 0; });
      agreement.after(1);
      if (ranks.first()) {
        agreement.after(2);
        // The other one will never come to this one's exchange.
        agreement.settle();
      }
      ranks.fail(Error(ExitCode::Storage, "disk full"));
      ranks.check();
    });
  });
}

} // namespace
} // namespace llamarun
