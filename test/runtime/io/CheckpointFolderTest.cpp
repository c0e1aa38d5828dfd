#include "runtime/io/CheckpointFolder.h"

#include "runtime/io/CheckpointFiles.h"
#include "runtime/io/Manifest.h"
#include "test/runtime/io/TestFiles.h"

#include <array>

namespace llamarun {
namespace {

void makeCheckpoint(const std::filesystem::path &run, std::uint64_t step,
                    std::uint64_t generation = 0) {
  Checkpoint checkpoint;
  checkpoint.generation = generation;
  checkpoint.position.step = step;
  checkpoint.planHash = checkpoint.modelHash = "x";
  CheckpointDirectory building(checkpointPath(run, step));
  std::array<float, 2> values{1, static_cast<float>(step)};
  TensorView view{
      "parameter/p", DType::F32, {2}, std::as_bytes(std::span(values))};
  CheckpointTensor tensor{"p", "parameter", DType::F32, {2}, {{}}, {}};
  tensor.parts = {{rankFileName(0), hashOf(view.bytes)}};
  checkpoint.tensors["parameter/p"] = tensor;
  checkpoint.files[rankFileName(0)] =
      writeCheckpointFile(building.path(), rankFileName(0), {&view, 1});
  building.commit(checkpoint);
}

std::vector<std::uint64_t> stepsIn(const std::filesystem::path &run) {
  std::vector<std::uint64_t> steps;
  for (auto &[step, path] : checkpointsIn(run))
    steps.push_back(step);
  return steps;
}

using Steps = std::vector<std::uint64_t>;

TEST(CheckpointFolder, NewestIsByNumber) {
  TemporaryDirectory run;
  std::vector<std::string> warnings;
  Warn warn = [&](const std::string &text) { warnings.push_back(text); };
  EXPECT_FALSE(newestComplete(run.path / "nowhere", warn));
  EXPECT_FALSE(newestComplete(run.path, warn));
  for (std::uint64_t step : {9, 10, 100})
    makeCheckpoint(run.path, step);
  std::filesystem::create_directory(run / "checkpoint-007");
  std::filesystem::create_directory(run / "checkpoint-200.tmp-1-2");
  writeAll(run / "checkpoint-300", "a file");
  EXPECT_EQ(stepsIn(run.path), (Steps{9, 10, 100}));
  EXPECT_EQ(newestComplete(run.path, warn)->position.step, 100u);
  EXPECT_TRUE(warnings.empty());
}

TEST(CheckpointFolder, SkipsTheIncompleteByName) {
  TemporaryDirectory run;
  for (std::uint64_t step : {1, 2, 3, 4, 5})
    makeCheckpoint(run.path, step);
  std::string file = readAll(run / "checkpoint-5/rank-00000.safetensors");
  file.back() ^= 1;
  writeAll(run / "checkpoint-5/rank-00000.safetensors", file);
  std::filesystem::remove(run / "checkpoint-4/SHA256SUMS");
  writeManifest(run / "checkpoint-3",
                {{kCheckpointFile,
                  sha256Of(readAll(run / "checkpoint-3/checkpoint.json"))}});
  std::filesystem::remove_all(run / "checkpoint-2");
  std::filesystem::copy(run / "checkpoint-1", run / "checkpoint-2");
  std::vector<std::string> warnings;
  auto found = newestComplete(
      run.path, [&](const std::string &text) { warnings.push_back(text); });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->position.step, 1u);
  ASSERT_EQ(warnings.size(), 4u);
  const char *expected[][2] = {
      {"checkpoint-5",
       "rank-00000.safetensors: tensor 'parameter/p' is damaged"},
      {"checkpoint-4", "SHA256SUMS"},
      {"checkpoint-3", "does not list rank-00000"},
      {"checkpoint-2", "is of step 1"}};
  for (std::size_t i = 0; i < 4; ++i)
    for (auto *part : expected[i])
      EXPECT_NE(warnings[i].find(part), std::string::npos) << warnings[i];
}

TEST(CheckpointFolder, PrunesTheOldestUpToAStep) {
  TemporaryDirectory run;
  for (std::uint64_t step : {2, 4, 6, 8, 20})
    makeCheckpoint(run.path, step);
  std::filesystem::create_directory(run / "checkpoint-1"); // somebody else's
  pruneCheckpoints(run.path, 8, 0);
  EXPECT_EQ(stepsIn(run.path), (Steps{1, 2, 4, 6, 8, 20}));
  pruneCheckpoints(run.path, 8, 2);
  EXPECT_EQ(stepsIn(run.path), (Steps{1, 6, 8, 20}));
  EXPECT_EQ(entriesIn(run.path), 4u);
}

TEST(CheckpointFolder, RemovesLeftovers) {
  TemporaryDirectory run;
  makeCheckpoint(run.path, 2);
  for (const char *name : {"checkpoint-4.tmp-12-7", "checkpoint-2.old-12",
                           "checkpoint-x.tmp-1", "other.tmp-1"})
    std::filesystem::create_directory(run / name);
  writeAll(run / "run.json.tmp-77", "half");
  writeAll(run / "mine.tmp-7x", "");
  removeLeftovers(run.path);
  EXPECT_TRUE(std::filesystem::remove(run / "mine.tmp-7x"));
  EXPECT_EQ(entriesIn(run.path), 3u);
  EXPECT_EQ(stepsIn(run.path), (Steps{2}));
}

TEST(CheckpointFolder, LaterRunsAreNewer) {
  TemporaryDirectory run;
  EXPECT_EQ(nextGeneration(run.path), 0u);
  makeCheckpoint(run.path, 50);
  makeCheckpoint(run.path, 60);
  EXPECT_EQ(nextGeneration(run.path), 1u);
  makeCheckpoint(run.path, 8, 1);
  makeCheckpoint(run.path, 9, 1);
  std::filesystem::create_directory(run / "checkpoint-1"); // somebody else's
  EXPECT_EQ(nextGeneration(run.path), 2u);
  std::vector<std::string> warnings;
  Warn warn = [&](const std::string &text) { warnings.push_back(text); };
  EXPECT_EQ(newestComplete(run.path, warn)->position.step, 9u);
  EXPECT_TRUE(warnings.empty());
  std::filesystem::remove(run / "checkpoint-9/SHA256SUMS");
  EXPECT_EQ(newestComplete(run.path, warn)->position.step, 8u);
  EXPECT_EQ(warnings.size(), 1u);
  removeOlder(run.path, 1);
  EXPECT_EQ(stepsIn(run.path), (Steps{1, 8, 9}));
}

} // namespace
} // namespace llamarun
