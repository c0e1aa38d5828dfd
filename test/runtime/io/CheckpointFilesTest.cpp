// Files of a checkpoint: replaced as a whole, and every damage named.
#include "runtime/io/CheckpointFiles.h"

#include "test/runtime/io/TestFiles.h"

using namespace llamarun;

namespace {

const std::string kRank0 = rankFileName(0);

/// A checkpoint of one float32 tensor "w" of `values`.
void write(const std::filesystem::path &where, std::vector<float> values) {
  CheckpointDirectory building(where);
  auto bytes = std::as_bytes(std::span(values));
  Checkpoint c;
  c.directory = where;
  CheckpointTensor w{"w", "parameter", DType::F32, {values.size()}, {{}}, {}};
  w.parts = {{kRank0, hashOf(bytes)}};
  std::vector<TensorView> views{{w.key(), DType::F32, w.shape, bytes}};
  c.files[kRank0] = writeCheckpointFile(building.path(), kRank0, views);
  c.tensors[w.key()] = w;
  building.commit(c);
}

std::vector<float> read(const std::filesystem::path &where) {
  Checkpoint c = Checkpoint::open(where);
  CheckpointReader reader(c);
  auto bytes = reader.read(c.tensors.at("parameter/w"), 0);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  reader.finish();
  return values;
}

TEST(CheckpointFiles, AreReadAsWritten) {
  TemporaryDirectory directory;
  write(directory / "deep/er/c", {1, 2, 3});
  EXPECT_EQ(read(directory / "deep/er/c"), (std::vector<float>{1, 2, 3}));
  // Nothing but the checkpoint is left, beside it and in it.
  EXPECT_EQ(entriesIn(directory / "deep/er"), 1u);
  EXPECT_EQ(entriesIn(directory / "deep/er/c"), 3u);
}

TEST(CheckpointFiles, ReplaceAnOlderOne) {
  TemporaryDirectory directory;
  write(directory / "c", {1, 2, 3});
  write((directory / "c").string() + "/", {4, 5}); // as a shell completes it
  EXPECT_EQ(read(directory / "c"), (std::vector<float>{4, 5}));
  EXPECT_EQ(entriesIn(directory.path), 1u);
  std::filesystem::create_directory(directory / "empty");
  write(directory / "empty", {6});
  EXPECT_EQ(read(directory / "empty"), (std::vector<float>{6}));
}

TEST(CheckpointFiles, WithoutCommitNothingChanges) {
  TemporaryDirectory directory;
  write(directory / "c", {1, 2, 3});
  {
    CheckpointDirectory building(directory / "c");
    writeAll(building.path() / kRank0, "half");
  }
  EXPECT_EQ(read(directory / "c"), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(entriesIn(directory.path), 1u);
}

TEST(CheckpointFiles, WhatIsNoCheckpointStays) {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "d");
  writeAll(directory / "d/thesis.tex", "years of work");
  writeAll(directory / "f", "a file");
  for (const char *name : {"d", "f"})
    expectError(ExitCode::Usage, {"exists and is no checkpoint"},
                [&] { CheckpointDirectory building(directory / name); });
  EXPECT_EQ(readAll(directory / "d/thesis.tex"), "years of work");
}

TEST(CheckpointFiles, FilesThatOtherRanksWroteElsewhereAreMissed) {
  TemporaryDirectory directory;
  CheckpointDirectory building(directory / "c");
  Checkpoint c;
  c.files[rankFileName(3)] = {10, ""};
  expectError(ExitCode::Storage,
              {"rank-00003.safetensors", "must write to one file system"},
              [&] { building.commit(c); });
  EXPECT_FALSE(std::filesystem::exists(directory / "c"));
}

TEST(CheckpointFiles, EveryDamagedByteIsNamed) {
  TemporaryDirectory directory;
  auto where = directory / "c";
  write(where, {1, 2, 3});
  std::string good = readAll(where / kRank0);
  std::uint64_t header = 0;
  std::memcpy(&header, good.data(), sizeof header);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 4;
    writeAll(where / kRank0, bad);
    std::vector<std::string> parts{(where / kRank0).string()};
    if (i >= 8 + header) // in the tensor
      parts.push_back("'parameter/w' is damaged");
    expectError(ExitCode::BadInput, parts, [&] { read(where); });
  }
}

TEST(CheckpointFiles, TruncatedOrMissing) {
  TemporaryDirectory directory;
  auto where = directory / "c";
  write(where, {1, 2, 3});
  std::string good = readAll(where / kRank0);
  writeAll(where / kRank0, good.substr(0, good.size() - 1));
  expectError(ExitCode::BadInput,
              {(where / kRank0).string(), "bytes instead of", "truncated"},
              [&] { read(where); });
  std::filesystem::remove(where / kRank0);
  expectError(ExitCode::BadInput, {(where / kRank0).string()},
              [&] { read(where); });
}

TEST(CheckpointFiles, ATensorOfAnotherShape) {
  TemporaryDirectory directory;
  auto where = directory / "c";
  write(where, {1, 2, 3, 4});
  Checkpoint c = Checkpoint::open(where);
  CheckpointTensor &w = c.tensors.at("parameter/w");
  CheckpointReader reader(c);
  w.shape = {2, 2};
  expectError(ExitCode::BadInput,
              {"'parameter/w' is F32 [4] instead of F32 [2, 2]"},
              [&] { reader.read(w, 0); });
  w.name = "v";
  expectError(ExitCode::BadInput, {"'parameter/v' is missing"},
              [&] { reader.read(w, 0); });
}

} // namespace
