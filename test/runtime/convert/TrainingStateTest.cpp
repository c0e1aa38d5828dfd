// Checkpoints of jobs of several ranks, as threads: what is in the files, and
// that every rank gets its own back.
#include "runtime/convert/TrainingState.h"

#include "test/runtime/convert/SmallSessions.h"

#include <set>

using namespace llamarun;
using namespace llamarun::test;

namespace {

const SmallLayout kLayouts[] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {1, 4}, {4, 1}};

std::string nameOfLayout(SmallLayout layout) {
  return layoutName({{"dp", layout.dp}, {"tp", layout.tp}});
}

TEST(TrainingState, ComesBackInEveryLayout) {
  for (SmallLayout layout : kLayouts) {
    SCOPED_TRACE(nameOfLayout(layout));
    TemporaryDirectory directory;
    auto where = directory / "c";
    makeCheckpoint(layout, where);
    onAllRanks(layout, [&](SmallRank &rank, const Gather &) {
      TrainingPosition position =
          loadCheckpoint(rank.session, rank.communicators.grid(),
                         rank.communicators.rank(), where)
              .position;
      EXPECT_EQ(position, kPosition);
      expectFilled(rank, layout);
    });
    // One file for each part of the tensor-parallel axis, whatever dp is.
    EXPECT_EQ(entriesIn(where), layout.tp + 2u);
    EXPECT_EQ(entriesIn(directory.path), 1u);
  }
}

TEST(TrainingState, FilesHoldEachPartOnce) {
  TemporaryDirectory directory;
  makeCheckpoint({2, 2}, directory / "c");
  Checkpoint c = Checkpoint::open(directory / "c");
  EXPECT_EQ(layoutName(c.grid), "ddp2,tp2");
  EXPECT_EQ(c.modelHash, "model");
  EXPECT_EQ(c.tensors.size(), 3u * 3 + 1);
  auto rank0 = SafetensorsFile::open(directory / "c" / rankFileName(0));
  auto rank1 = SafetensorsFile::open(directory / "c" / rankFileName(1));
  // Rank 0 has what is whole, rank 1 only its own halves.
  EXPECT_EQ(rank0.tensors().size(), 10u);
  EXPECT_EQ(rank1.tensors().size(), 6u);
  EXPECT_EQ(rank1.find("parameter/whole"), nullptr);
  // Columns 4 to 7 of every row.
  const TensorView *columns = rank1.find("second_moment/columns");
  ASSERT_NE(columns, nullptr);
  EXPECT_EQ(columns->shape, (Shape{3, 4}));
  std::vector<float> values(12);
  rank1.readFloat(*columns, values);
  EXPECT_EQ(values[0], valueOf(fb::Role::SecondMoment, "columns", 4));
  EXPECT_EQ(values[11], valueOf(fb::Role::SecondMoment, "columns", 23));
}

TEST(TrainingState, GoesFromEveryLayoutToEveryOther) {
  for (SmallLayout from : kLayouts) {
    TemporaryDirectory directory;
    makeCheckpoint(from, directory / "c");
    for (SmallLayout to : kLayouts) {
      SCOPED_TRACE(nameOfLayout(from) + " to " + nameOfLayout(to));
      onAllRanks(to, [&](SmallRank &rank, const Gather &) {
        loadCheckpoint(rank.session, rank.communicators.grid(),
                       rank.communicators.rank(), directory / "c");
        expectFilled(rank, to);
      });
    }
  }
}

TEST(TrainingState, ADamagedFileChangesNothing) {
  TemporaryDirectory directory;
  makeCheckpoint({1, 1}, directory / "c");
  auto path = directory / "c" / rankFileName(0);
  std::string bytes = readAll(path);
  bytes.back() ^= 1; // of the last tensor in the file
  writeAll(path, bytes);
  auto plan = trainingPlan({1, 1}).load();
  SmallRank rank(plan, 0);
  expectError(ExitCode::BadInput, {path.string(), "is damaged"}, [&] {
    loadCheckpoint(rank.session, rank.communicators.grid(), 0, directory / "c");
  });
  std::vector<float> values(24);
  rank.session.readTensor(fb::Role::Parameter, "rows",
                          std::as_writable_bytes(std::span(values)));
  EXPECT_EQ(values, std::vector<float>(24));
}

TEST(TrainingState, AnOldCheckpointIsReplaced) {
  TemporaryDirectory directory;
  makeCheckpoint({1, 2}, directory / "c");
  makeCheckpoint({2, 1}, directory / "c");
  EXPECT_EQ(layoutName(Checkpoint::open(directory / "c").grid), "ddp2");
  EXPECT_EQ(entriesIn(directory / "c"), 3u);
}

} // namespace
