// Checkpoints from layout to layout, by plans that copy element by element;
// what comes out is compared with what ranks of the target layout write.
#include "runtime/convert/Convert.h"

#include "test/runtime/convert/SmallSessions.h"

#include <map>

using namespace llamarun;
using namespace llamarun::test;

namespace {

/// Bytes of every file of a checkpoint, less the plan's hash, which is that of
/// the plan that trained.
std::map<std::string, std::string>
filesOf(const std::filesystem::path &directory) {
  std::map<std::string, std::string> files;
  for (auto &entry : std::filesystem::directory_iterator(directory))
    files[entry.path().filename().string()] = readAll(entry.path());
  Checkpoint manifest = Checkpoint::open(directory);
  manifest.planHash.clear();
  files[kCheckpointFile] = manifest.text();
  files.erase("SHA256SUMS"); // has the hash of what was left out
  return files;
}

TEST(Convert, AnyLayoutToAnyOther) {
  const SmallLayout layouts[] = {{1, 1}, {4, 1}, {1, 2}, {2, 2}, {1, 4}};
  for (SmallLayout from : layouts)
    for (SmallLayout to : layouts) {
      SCOPED_TRACE(testing::Message() << "ddp" << from.dp << ",tp" << from.tp
                                      << " to ddp" << to.dp << ",tp" << to.tp);
      TemporaryDirectory directory;
      makeCheckpoint(from, directory / "from");
      makeCheckpoint(to, directory / "expected");
      auto report = convertCheckpoint(elementPlan(from, to).load(),
                                      directory / "from", directory / "to", 1);
      EXPECT_EQ(filesOf(directory / "to"), filesOf(directory / "expected"));
      EXPECT_EQ(report.from, layoutName({{"dp", from.dp}, {"tp", from.tp}}));
      EXPECT_EQ(report.to, layoutName({{"dp", to.dp}, {"tp", to.tp}}));
      EXPECT_EQ(report.tensors, 10u);
      EXPECT_EQ(report.bytes, 3u * (24 + 24 + 5) * 4 + 8);
      EXPECT_EQ(entriesIn(directory.path), 3u);
    }
}

TEST(Convert, ThereAndBackIsTheIdentity) {
  TemporaryDirectory directory;
  SmallLayout ddp{4, 1}, tp{1, 4};
  makeCheckpoint(ddp, directory / "c");
  std::map<std::string, std::string> before;
  for (auto &entry : std::filesystem::directory_iterator(directory / "c"))
    before[entry.path().filename().string()] = readAll(entry.path());
  convertCheckpoint(elementPlan(ddp, tp).load(), directory / "c",
                    directory / "c");
  EXPECT_EQ(layoutName(Checkpoint::open(directory / "c").grid), "tp4");
  convertCheckpoint(elementPlan(tp, ddp).load(), directory / "c",
                    directory / "c");
  std::map<std::string, std::string> after;
  for (auto &entry : std::filesystem::directory_iterator(directory / "c"))
    after[entry.path().filename().string()] = readAll(entry.path());
  EXPECT_EQ(after, before); // checkpoint.json, too
}

struct Refusal {
  const char *message;
  std::function<void(PlanBuilder &)> change;
};

TEST(Convert, WhatDoesNotFitIsNamedAndNothingIsWritten) {
  TemporaryDirectory directory;
  SmallLayout from{1, 2}, to{2, 1};
  makeCheckpoint(from, directory / "c");
  const Refusal refusals[] = {
      {"is laid out for tp2, but test.fb converts from ddp1; compile it with "
       "--reshard-from=tp2",
       [](PlanBuilder &b) {
         b = elementPlan({1, 1}, {2, 1});
       }},
      {"was trained from another model file",
       [](PlanBuilder &b) { b.plan.model_hash = "other"; }},
      {"tensor 'parameter/more', which the plan has, is missing",
       [](PlanBuilder &b) {
         for (auto &tensor : b.plan.tensors)
           if (tensor->name == "whole")
             tensor->name = "more";
       }},
      {"test.fb: is no plan that changes layouts",
       [](PlanBuilder &b) { b = smallPlan(); }},
  };
  for (const Refusal &refusal : refusals) {
    SCOPED_TRACE(refusal.message);
    PlanBuilder builder = elementPlan(from, to);
    refusal.change(builder);
    expectError(ExitCode::BadInput, {refusal.message}, [&] {
      convertCheckpoint(builder.load(), directory / "c", directory / "to");
    });
    EXPECT_EQ(entriesIn(directory.path), 1u);
  }
}

TEST(Convert, DamagedFilesAreNamedAndNothingIsWritten) {
  TemporaryDirectory directory;
  SmallLayout from{1, 2}, to{1, 1};
  makeCheckpoint(from, directory / "c");
  auto plan = elementPlan(from, to).load();
  for (unsigned rank : {0u, 1u}) {
    auto path = directory / "c" / rankFileName(rank);
    std::string good = readAll(path);
    std::string bad = good;
    bad[bad.size() - 2] ^= 16;
    writeAll(path, bad);
    expectError(
        ExitCode::BadInput, {path.string(), "tensor '", "is damaged"},
        [&] { convertCheckpoint(plan, directory / "c", directory / "to"); });
    writeAll(path, good.substr(0, good.size() / 2));
    expectError(ExitCode::BadInput, {path.string(), "truncated"}, [&] {
      convertCheckpoint(plan, directory / "c", directory / "to");
    });
    writeAll(path, good);
    EXPECT_EQ(entriesIn(directory.path), 1u);
  }
}

} // namespace
