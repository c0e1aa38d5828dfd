#include "runtime/train/Ranks.h"

#include "test/runtime/train/ThreadRanks.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

namespace llamarun {
namespace {

TEST(Ranks, AloneExchangesWithItself) {
  Ranks ranks;
  EXPECT_TRUE(ranks.alone() && ranks.first() && ranks.leads());
  EXPECT_EQ(ranks.dataRanks(), 1u);
  EXPECT_EQ(ranks.gather("x"), std::vector<std::string>{"x"});
  EXPECT_EQ(ranks.gatherNumbers(std::array{1.5, 2.5}),
            (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(ranks.fromFirst("y"), "y");
  auto plan = tiny::makePlan({.dp = 2});
  expectFailure(ExitCode::Usage, {"tiny.fb", "2 ranks", "is 1"},
                [&] { Ranks(*plan, nullptr); });
  // Nobody reads rank 0's part of a plan for two by accident.
  expectFailure(ExitCode::Usage, {"for 2 ranks, not 1"},
                [&] { ranks.slice(*plan, plan->tensor(0)); });
}

TEST(Ranks, KnowTheirPlace) {
  test::runRanks(6, [](Peers &peers) {
    auto plan = tiny::makePlan({.rows = 6, .dp = 3, .tp = 2});
    Ranks ranks(*plan, &peers);
    unsigned rank = peers.world().rank;
    EXPECT_EQ(ranks.rank(), rank);
    EXPECT_EQ(ranks.size(), 6u);
    EXPECT_EQ(ranks.first(), rank == 0);
    EXPECT_EQ(ranks.dataRank(), rank / 2);
    EXPECT_EQ(ranks.dataRanks(), 3u);
    EXPECT_EQ(ranks.leads(), rank % 2 == 0);
    EXPECT_TRUE(ranks.leads(4) && !ranks.leads(5));
    EXPECT_EQ(ranks.gridIndex(),
              (std::vector<std::int32_t>{static_cast<std::int32_t>(rank / 2),
                                         static_cast<std::int32_t>(rank % 2)}));
  });
}

TEST(Ranks, GatherAnySizes) {
  test::runRanks(3, [](Peers &peers) {
    auto plan = tiny::makePlan({.dp = 3});
    Ranks ranks(*plan, &peers);
    // 0 bytes, a bit more than two pieces, exactly one piece.
    constexpr std::size_t sizes[] = {0, (2 << 20) + 17, 1 << 20};
    auto text = [&](unsigned rank) {
      std::string bytes(sizes[rank], static_cast<char>('a' + rank));
      if (!bytes.empty())
        bytes.back() = '!';
      return bytes;
    };
    auto all = ranks.gather(text(ranks.rank()));
    ASSERT_EQ(all.size(), 3u);
    for (unsigned rank = 0; rank < 3; ++rank)
      EXPECT_TRUE(all[rank] == text(rank)) << rank;
    EXPECT_EQ(ranks.gatherNumbers(std::array{1.0 * ranks.rank(), 9.0}),
              (std::vector<double>{0, 9, 1, 9, 2, 9}));
    EXPECT_EQ(ranks.fromFirst(ranks.first() ? "zero" : "other"), "zero");
  });
}

TEST(Ranks, EndWithTheFirstError) {
  expectFailure(ExitCode::Storage, {"disk full"}, [] {
    test::runRanks(2, [](Peers &peers) {
      auto plan = tiny::makePlan({.dp = 2});
      Ranks ranks(*plan, &peers);
      if (ranks.first()) {
        ranks.fail(Error(ExitCode::Storage, "disk full"));
        return;
      }
      for (;;) // until it hears of it
        ranks.check();
    });
  });
}

} // namespace
} // namespace llamarun
