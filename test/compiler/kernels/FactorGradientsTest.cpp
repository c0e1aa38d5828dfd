// Launches of factor gradients: when there is one, its grid, its scalars; and
// where the kernel stages its result.
#include "compiler/kernels/FactorGradients.h"
#include "compiler/kernels/FactorGradientsPlace.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

using namespace llamac;
using namespace llamac::kernels;

namespace {

const FactorProblem kA{4096, 48, 4160, 48, 4096, true, 2.0f};
const FactorProblem kB{1032, 16, 6144, 64, 16, false, 0.5f};

std::optional<LibraryLaunch> launchOf(std::vector<FactorProblem> problems,
                                      int64_t tokens = 96) {
  return factorGradientsLaunch(tokens, problems, "sm_90", false);
}

class FactorGradients : public testing::Test {
  void SetUp() override {
    if (!libraryCode("factor_gradients", "sm_90", false))
      GTEST_SKIP() << "built without nvcc";
  }
};

TEST_F(FactorGradients, LaunchOfAGroup) {
  auto launch = launchOf({kA, kB, kB});
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->module, "factor_gradients");
  EXPECT_EQ(launch->symbol, "factor_gradients_3");
  EXPECT_EQ(launch->grid, (std::array<uint32_t, 3>{64 + 17 + 17, 1, 1}));
  EXPECT_EQ(launch->block, (std::array<uint32_t, 3>{128, 1, 1}));
  EXPECT_EQ(launch->sharedBytes, 2u * 64 * 128 * 2); // two chunks of tokens
  EXPECT_TRUE(launch->reads.empty() && launch->writes.empty());
  EXPECT_EQ(launch->scalars,
            (std::vector<int64_t>{96,         4096, 48, 4160, 48, 4096, 1,
                                  0x40000000, 1032, 16, 6144, 64, 16,   0,
                                  0x3f000000, 1032, 16, 6144, 64, 16,   0,
                                  0x3f000000}));
}

TEST_F(FactorGradients, ShapesThatDoNotSuit) {
  EXPECT_TRUE(launchOf({kA}, 1024));
  EXPECT_TRUE(launchOf({kA}, 1));
  EXPECT_FALSE(launchOf({kA}, 1025));
  EXPECT_FALSE(launchOf({kA}, 0));
  EXPECT_FALSE(launchOf({}));
  EXPECT_TRUE(launchOf({kA, kB, kA, kB}));
  EXPECT_FALSE(launchOf({kA, kB, kA, kB, kA}));
  auto without = [](auto change) {
    FactorProblem p = kB;
    change(p);
    return !launchOf({kA, p});
  };
  EXPECT_FALSE(without([](FactorProblem &p) { p.ldd = 20; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.ldd = 18; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.ldd = 12; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.transposed = true; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.rank = 12; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.rank = p.ldd = 72; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.rank = 0; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.n = 1028; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.ldy = 1024; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.ldy = 6148; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.lds = 20; }));
  EXPECT_TRUE(without([](FactorProblem &p) { p.lds = 8; }));
}

/// A symbol for every number of problems, and PTX for other architectures.
TEST_F(FactorGradients, CodeHasEveryNumber) {
  std::vector<FactorProblem> problems;
  for (int count = 1; count <= kFactorMaxProblems; ++count) {
    problems.push_back(count % 2 ? kA : kB);
    for (bool ptx : {false, true}) {
      auto launch = factorGradientsLaunch(8, problems, "sm_90", ptx);
      ASSERT_TRUE(launch);
      EXPECT_EQ(launch->scalars.size(), 1u + 7 * count);
      auto code = libraryCode(launch->module, "sm_90", ptx);
      EXPECT_NE(code->find(launch->symbol), std::string_view::npos);
    }
  }
  EXPECT_FALSE(factorGradientsLaunch(8, problems, "sm_1", false));
}

/// Every element has its own place inside what the host leaves room for, four
/// along a row of the result are 16 aligned bytes, and what half a warp (8-byte
/// stores) or a warp (4-byte stores) writes at once meets every bank once.
TEST(FactorGradientsPlace, Staging) {
  for (bool transposed : {false, true}) {
    std::set<int> seen;
    for (int n = 0; n < kFactorTile; ++n)
      for (int c = 0; c < kFactorMaxRank; ++c) {
        int at = factorStaged(transposed, n, c), along = transposed ? n : c;
        ASSERT_TRUE(at >= 0 && 4 * at < factorSharedBytes(1));
        ASSERT_TRUE(seen.insert(at).second);
        ASSERT_EQ((at - along) % 4, 0);
        ASSERT_EQ(at - along, transposed ? factorStaged(true, 0, c)
                                         : factorStaged(false, n, 0));
      }
    std::set<int> banks;
    for (int lane = 0; lane < (transposed ? 32 : 16); ++lane)
      for (int i = 0; i < (transposed ? 1 : 2); ++i)
        banks.insert(factorStaged(transposed, lane / 4, lane % 4 * 2 + i) % 32);
    EXPECT_EQ(banks.size(), 32u) << transposed;
  }
}

/// The ring holds what there is, and 48 KiB need no function attribute.
TEST(FactorGradientsPlace, SharedMemory) {
  EXPECT_EQ(factorSharedBytes(64), 64 * 72 * 4);
  EXPECT_EQ(factorSharedBytes(65), 32768);
  for (int64_t tokens = 129; tokens <= 1024; ++tokens)
    EXPECT_EQ(factorSharedBytes(tokens), 49152);
  EXPECT_EQ(factorTiles(64), 1);
  EXPECT_EQ(factorTiles(72), 2);
}

} // namespace
