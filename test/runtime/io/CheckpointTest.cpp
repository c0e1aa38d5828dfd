// checkpoint.json: what is written is read, and what was tampered with is not.
#include "runtime/io/Checkpoint.h"

#include "test/runtime/io/TestFiles.h"

#include <nlohmann/json.hpp>

#include <functional>

using namespace llamarun;
using nlohmann::json;

namespace {

/// dp 2 x tp 3: a matrix whose columns are split, and a counter.
Checkpoint example(const std::filesystem::path &directory) {
  Checkpoint c;
  c.directory = directory;
  c.grid = {{"dp", 2}, {"tp", 3}};
  c.position = {17, 2, 5, 42, (std::uint64_t(1) << 63) + 1};
  c.planHash = "abc";
  c.modelHash = "def";
  CheckpointTensor w{"w", "first_moment", DType::F32, {4, 6}, {{}, {"tp"}}, {}};
  for (unsigned i = 0; i < 3; ++i) {
    w.parts.push_back({rankFileName(i), "hash" + std::to_string(i)});
    c.files[rankFileName(i)] = {100 + i, "file" + std::to_string(i)};
  }
  c.tensors[w.key()] = w;
  CheckpointTensor s{"step", "state", DType::I64,
                     {1},    {{}},    {{rankFileName(0), "s"}}};
  c.tensors[s.key()] = s;
  return c;
}

/// The text with `change` made to it and the checksum made good.
std::string changed(const std::string &text,
                    const std::function<void(json &)> &change) {
  json document = json::parse(text);
  document.erase("checksum");
  change(document);
  std::string rest = document.dump();
  document["checksum"] = hashOf(std::as_bytes(std::span(rest)));
  return document.dump();
}

TEST(Checkpoint, IsReadAsItWasWritten) {
  TemporaryDirectory directory;
  Checkpoint written = example(directory.path);
  writeAll(directory / kCheckpointFile, written.text());
  Checkpoint read = Checkpoint::open(directory.path);
  EXPECT_EQ(read.text(), written.text());
  EXPECT_EQ(read.position, written.position);
  EXPECT_EQ(read.grid, written.grid);
  EXPECT_EQ(read.planHash, "abc");
  EXPECT_EQ(read.modelHash, "def");
  const CheckpointTensor &w = read.tensors.at("first_moment/w");
  EXPECT_EQ(w.shape, (Shape{4, 6}));
  EXPECT_EQ(w.split, (CheckpointSplit{{}, {"tp"}}));
  EXPECT_EQ(w.parts.at(2).hash, "hash2");
  EXPECT_EQ(read.partCount(w), 3u);
  EXPECT_EQ(read.partShape(w), (Shape{4, 2}));
  EXPECT_EQ(read.files.at("rank-00001.safetensors").bytes, 101u);
}

TEST(Checkpoint, LayoutsHaveTheNamesOfTheFlag) {
  EXPECT_EQ(layoutName({}), "ddp1");
  EXPECT_EQ(layoutName({{"dp", 1}, {"tp", 1}}), "ddp1");
  EXPECT_EQ(layoutName({{"dp", 4}, {"tp", 1}}), "ddp4");
  EXPECT_EQ(layoutName({{"dp", 1}, {"tp", 2}}), "tp2");
  EXPECT_EQ(layoutName({{"dp", 2}, {"tp", 2}}), "ddp2,tp2");
}

TEST(Checkpoint, PartsBelongToTheLowestRankThatHasThem) {
  Checkpoint c;
  c.grid = {{"dp", 2}, {"tp", 3}, {"xp", 4}};
  CheckpointTensor whole{"a", "state", DType::F32, {24}, {{}}, {}};
  EXPECT_EQ(c.ownerOf(whole, 0), 0u);
  CheckpointTensor one{"a", "state", DType::F32, {24}, {{"tp"}}, {}};
  EXPECT_EQ(c.ownerOf(one, 2), 8u); // 0 * 12 + 2 * 4 + 0
  // Axes in the order of the dimensions they split, not of the grid.
  CheckpointTensor two{"a", "state", DType::F32, {8, 6}, {{"xp"}, {"tp"}}, {}};
  EXPECT_EQ(c.partCount(two), 12u);
  EXPECT_EQ(c.ownerOf(two, 3 * 3 + 1), 7u); // xp 3, tp 1
}

TEST(Checkpoint, HashIsXxh3) {
  // Test vector of the xxHash library: the empty input.
  EXPECT_EQ(hashOf({}), "99aa06d3014798d86001c324468d497f");
}

TEST(Checkpoint, EveryChangedByteIsSeen) {
  TemporaryDirectory directory;
  std::string text = example(directory.path).text();
  auto path = directory / kCheckpointFile;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // Between values, spaces mean nothing.
    if (std::isspace(static_cast<unsigned char>(text[i])))
      continue;
    std::string damaged = text;
    damaged[i] ^= 1;
    writeAll(path, damaged);
    expectError(ExitCode::BadInput, {path.string()},
                [&] { Checkpoint::open(directory.path); });
  }
}

struct Damage {
  const char *message;
  std::function<void(json &)> apply;
};

TEST(Checkpoint, WhatMakesNoSenseIsRefused) {
  TemporaryDirectory directory;
  std::string text = example(directory.path).text();
  auto path = directory / kCheckpointFile;
  const Damage damages[] = {
      {"is not the checkpoint.json of a checkpoint",
       [](json &d) { d["format"] = "x"; }},
      {"is of version 2; this build reads version 1",
       [](json &d) { d["version"] = 2; }},
      {"'step' is no whole number", [](json &d) { d["step"] = -1; }},
      {"'seed' is missing", [](json &d) { d.erase("seed"); }},
      {"more than 65536 devices",
       [](json &d) { d["grid"][0]["size"] = 65536; }},
      {"more than 65536 devices", [](json &d) { d["grid"][0]["size"] = 0; }},
      {"axis 'tp' twice", [](json &d) { d["grid"][0]["name"] = "tp"; }},
      {"file '../rank-00000.safetensors' is no rank's",
       [](json &d) {
         d["files"]["../rank-00000.safetensors"] = d["files"].begin().value();
       }},
      {"file 'rank-0.safetensors' is no rank's",
       [](json &d) {
         d["files"]["rank-0.safetensors"] = d["files"].begin().value();
       }},
      {"'first_moment/w': lies in 'rank-00007.safetensors', which is not "
       "listed",
       [](json &d) {
         d["tensors"][0]["parts"][0]["file"] = "rank-00007.safetensors";
       }},
      {"'gradient/w': unknown role",
       [](json &d) { d["tensors"][0]["role"] = "gradient"; }},
      {"unknown dtype", [](json &d) { d["tensors"][0]["dtype"] = "F31"; }},
      {"is empty or too large",
       [](json &d) {
         d["tensors"][0]["shape"] = {0, 6};
       }},
      {"is empty or too large",
       [](json &d) {
         d["tensors"][0]["shape"] = {1ull << 40, 1ull << 40};
       }},
      {"dimension 1 of [4, 7] has no 3 equal parts",
       [](json &d) {
         d["tensors"][0]["shape"] = {4, 7};
       }},
      {"has 2 parts instead of 3",
       [](json &d) { d["tensors"][0]["parts"].erase(0); }},
      {"missing or used axis",
       [](json &d) {
         d["tensors"][0]["split"] = {{"tp"}, {"tp"}};
       }},
      {"missing or used axis",
       [](json &d) { d["tensors"][0]["split"][1][0] = "xp"; }},
      {"differ in length", [](json &d) { d["tensors"][0]["split"].erase(0); }},
      {"is listed twice",
       [](json &d) { d["tensors"].push_back(d["tensors"][0]); }},
      {"'tensors' is no list", [](json &d) { d["tensors"] = 3; }},
      {"'files' is no object", [](json &d) { d["files"] = json::array(); }},
  };
  for (const Damage &damage : damages) {
    SCOPED_TRACE(damage.message);
    writeAll(path, changed(text, damage.apply));
    expectError(ExitCode::BadInput, {path.string(), damage.message},
                [&] { Checkpoint::open(directory.path); });
  }
  // The harness itself breaks nothing.
  writeAll(path, changed(text, [](json &) {}));
  EXPECT_EQ(Checkpoint::open(directory.path).text(), text);
}

} // namespace
