#include "runtime/train/TensorSlice.h"

#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <numeric>

namespace llamarun {
namespace {

/// Global indices of the box's elements, by loops.
std::vector<std::uint64_t> expected(const TensorSlice &slice) {
  std::vector<std::uint64_t> all;
  Shape place(slice.local.size());
  for (std::uint64_t i = 0; i < slice.elements(); ++i) {
    std::uint64_t rest = i, index = 0;
    for (std::size_t d = place.size(); d-- > 0; rest /= slice.local[d])
      place[d] = rest % slice.local[d] + slice.first[d];
    for (std::size_t d = 0; d < place.size(); ++d)
      index = index * slice.whole[d] + place[d];
    all.push_back(index);
  }
  return all;
}

void expectRuns(const TensorSlice &slice, std::size_t runs) {
  auto all = expected(slice);
  for (std::uint64_t begin = 0; begin < all.size(); ++begin)
    for (std::uint64_t count = 0; begin + count <= all.size(); ++count) {
      std::vector<std::uint64_t> found(count, ~0ull);
      std::size_t calls = 0;
      slice.forEachRun(begin, count, [&](auto index, auto at, auto n) {
        ++calls;
        for (std::uint64_t i = 0; i < n; ++i)
          found.at(at + i) = index + i;
      });
      EXPECT_TRUE(std::equal(found.begin(), found.end(), all.begin() + begin))
          << begin << " +" << count;
      if (begin == 0 && count == all.size()) {
        EXPECT_EQ(calls, runs);
      }
    }
}

TEST(TensorSlice, RowsAreOneRunAndColumnsMany) {
  expectRuns({{6, 4}, {6, 4}, {0, 0}}, 1);
  expectRuns({{6, 4}, {2, 4}, {4, 0}}, 1);
  expectRuns({{6, 4}, {6, 2}, {0, 2}}, 6);
  expectRuns({{6, 4}, {3, 1}, {3, 3}}, 3);
  expectRuns({{8}, {4}, {4}}, 1);
  expectRuns({{}, {}, {}}, 1); // a scalar
  expectRuns({{3, 4, 5}, {3, 2, 5}, {0, 2, 0}}, 3);
  expectRuns({{3, 4, 6}, {1, 4, 3}, {2, 0, 3}}, 4);
}

TEST(TensorSlice, IsThePartOfTheRanksPlace) {
  auto plan = tiny::makePlan({.rows = 6, .dp = 2, .tp = 2});
  Grid grid(*plan);
  auto slice = [&](fb::Role role, const char *name, unsigned rank) {
    return sliceOf(*plan, *plan->findTensor(role, name), grid, rank);
  };
  for (unsigned rank = 0; rank < 4; ++rank) {
    // tp varies fastest; dp splits nothing.
    auto rows = slice(fb::Role::Weight, "model.embed_tokens.weight", rank);
    EXPECT_EQ(rows.whole, (Shape{6, 4}));
    EXPECT_EQ(rows.local, (Shape{3, 4}));
    EXPECT_EQ(rows.first, (Shape{3 * (rank % 2ull), 0}));
    auto columns = slice(fb::Role::Parameter, tiny::kLoraA, rank);
    EXPECT_EQ(columns.first, (Shape{0, 2 * (rank % 2ull)}));
    EXPECT_TRUE(slice(fb::Role::Parameter, "score.weight", rank).isWhole());
  }
}

TEST(TensorSlice, RefusesUnevenParts) {
  // The verifier accepts a last part that is smaller.
  auto plan = tiny::makePlan({.rows = 5, .tp = 2, .unevenRows = true});
  expectFailure(
      ExitCode::BadInput,
      {"model.embed_tokens.weight", "dimension 0", "[5, 4]", "parts of 3"},
      [&] {
        sliceOf(
            *plan,
            *plan->findTensor(fb::Role::Weight, "model.embed_tokens.weight"),
            Grid(*plan), 0);
      });
}

} // namespace
} // namespace llamarun
