#include "runtime/train/MaskAgreement.h"

#include "runtime/train/Ranks.h"
#include "test/runtime/train/ThreadRanks.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <array>

namespace llamarun {
namespace {

std::vector<float> mask(std::initializer_list<float> bits) { return bits; }

TEST(MaskAgreement, SameMasksAgree) {
  std::vector<std::string> all;
  for (int rank = 0; rank < 3; ++rank) {
    MaskAgreement agreement;
    agreement.add(4, mask({1, 0, 1}));
    agreement.add(6, mask({1, 0, 0}));
    all.push_back(agreement.take());
    EXPECT_EQ(agreement.take(), "") << "taken twice";
  }
  EXPECT_NO_THROW(MaskAgreement::compare(all));
  EXPECT_NO_THROW(MaskAgreement::compare({"", "", ""}));
}

TEST(MaskAgreement, NamesTheFirstStepAndWhoIsNotWithTheMost) {
  auto hashes = [](std::initializer_list<float> last) {
    MaskAgreement agreement;
    agreement.add(4, mask({1, 1, 1}));
    agreement.add(6, mask(last));
    agreement.add(8, mask({0, 0, 1}));
    return agreement.take();
  };
  auto good = hashes({1, 0, 1}), bad = hashes({1, 1, 0}),
       other = hashes({0, 1, 1});
  expectFailure(ExitCode::Numerics, {"step 6:", "on rank 2 than", "3 of 4"},
                [&] {
                  MaskAgreement::compare({good, good, bad, good});
                });
  // Rank 0 is one of them like any other.
  expectFailure(ExitCode::Numerics, {"step 6:", "on rank 0 than", "2 of 3"},
                [&] {
                  MaskAgreement::compare({bad, good, good});
                });
  expectFailure(ExitCode::Numerics, {"on ranks 0, 3 than", "2 of 4"}, [&] {
    MaskAgreement::compare({bad, good, good, other});
  });
  expectFailure(ExitCode::Numerics, {"on rank 1 than", "1 of 2"}, [&] {
    MaskAgreement::compare({good, bad});
  });
}

TEST(MaskAgreement, OtherStepsAndBrokenBytesAreNamed) {
  MaskAgreement a, b;
  a.add(4, mask({1}));
  b.add(6, mask({1}));
  auto first = a.take(), second = b.take();
  expectFailure(ExitCode::PeerLost, {"rank 1", "other steps"}, [&] {
    MaskAgreement::compare({first, second});
  });
  expectFailure(ExitCode::PeerLost, {"rank 1", "other steps"}, [&] {
    MaskAgreement::compare({first, ""});
  });
  expectFailure(ExitCode::PeerLost, {"rank 1 sent 3 bytes"}, [&] {
    MaskAgreement::compare({first, "abc"});
  });
}

// Over the control plane: every rank ends with the same cause.
TEST(MaskAgreement, ADifferenceEndsEveryRank) {
  std::array<int, 4> failed{};
  test::runRanks(4, [&](Peers &peers) {
    auto plan = tiny::makePlan({.dp = 4});
    Ranks ranks(*plan, &peers);
    MaskAgreement agreement;
    agreement.add(2, mask({1, 1}));
    EXPECT_NO_THROW(MaskAgreement::compare(ranks.exchange(agreement.take())));
    agreement.add(3, mask({1, ranks.rank() == 3 ? 0.0f : 1.0f}));
    expectFailure(ExitCode::Numerics, {"step 3:", "rank 3"}, [&] {
      MaskAgreement::compare(ranks.exchange(agreement.take()));
    });
    failed[ranks.rank()] = 1;
  });
  EXPECT_EQ(failed, (std::array<int, 4>{1, 1, 1, 1}));
}

} // namespace
} // namespace llamarun
