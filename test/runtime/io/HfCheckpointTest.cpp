#include "runtime/io/HfCheckpoint.h"

#include "test/runtime/io/TestFiles.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace llamarun {
namespace {

class HfCheckpointTest : public testing::Test {
protected:
  // A file with one F32 tensor of `values` per name.
  void writeShard(const std::string &file, const std::string &names,
                  const std::vector<float> &values) {
    std::vector<TensorView> views;
    for (char name : names)
      views.push_back({std::string(1, name),
                       DType::F32,
                       {1, values.size()},
                       std::as_bytes(std::span(values))});
    writeSafetensors(dir / file, views);
  }
  void writeIndex(const std::string &weightMap) {
    writeAll(dir / "model.safetensors.index.json",
             R"({"metadata":{"total_size":16},"weight_map":)" + weightMap +
                 "}");
  }
  void refuses(std::vector<std::string> parts) {
    expectError(ExitCode::BadInput, parts,
                [&] { HfCheckpoint::open(dir.path); });
  }
  TemporaryDirectory dir;
};

TEST_F(HfCheckpointTest, SingleFile) {
  writeShard("model.safetensors", "ab", {1, 2});
  writeIndex("{\"ignored\": \"because the single file wins\"}");
  HfCheckpoint checkpoint = HfCheckpoint::open(dir.path);
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(checkpoint.totalBytes(), 16u);
  EXPECT_EQ(checkpoint.fileOf("a"), dir / "model.safetensors");
  EXPECT_EQ(checkpoint.find("c"), nullptr);
}

TEST_F(HfCheckpointTest, Shards) {
  writeShard("s1.safetensors", "ab", {1, 2});
  writeShard("s2.safetensors", "cx", {3, 4});
  writeIndex(R"({"a":"s1.safetensors","c":"s2.safetensors",
    "b":"s1.safetensors"})");
  HfCheckpoint opened = HfCheckpoint::open(dir.path);
  HfCheckpoint checkpoint = std::move(opened);
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(checkpoint.fileOf("c"), dir / "s2.safetensors");
  std::vector<float> values(2);
  checkpoint.readFloat("c", Shape{1, 2}, values);
  EXPECT_EQ(values, (std::vector<float>{3, 4}));
  EXPECT_EQ(checkpoint.find("x"), nullptr); // not in the index
}

TEST_F(HfCheckpointTest, RequireNamesFileTensorAndShapes) {
  writeShard("model.safetensors", "a", {1, 2});
  HfCheckpoint checkpoint = HfCheckpoint::open(dir.path);
  std::string file = (dir / "model.safetensors").string();
  EXPECT_EQ(&checkpoint.require("a", Shape{1, 2}), checkpoint.find("a"));
  expectError(ExitCode::BadInput,
              {file, "'a'", "has shape [1, 2], expected [2, 1]"}, [&] {
                checkpoint.require("a", Shape{2, 1});
              });
  expectError(ExitCode::BadInput, {file, "'z' is missing"},
              [&] { checkpoint.require("z", Shape{1}); });
  expectError(ExitCode::BadInput, {file, "'z' is missing"},
              [&] { checkpoint.fileOf("z"); });
}

TEST_F(HfCheckpointTest, WrongDtypeNamesFileAndTensor) {
  int64_t value = 1;
  std::vector<TensorView> views = {
      {"a", DType::I64, {1}, std::as_bytes(std::span(&value, 1))}};
  writeSafetensors(dir / "model.safetensors", views);
  HfCheckpoint checkpoint = HfCheckpoint::open(dir.path);
  std::vector<float> values(1);
  expectError(ExitCode::BadInput, {"model.safetensors", "'a'", "I64"},
              [&] { checkpoint.readFloat("a", Shape{1}, values); });
}

TEST_F(HfCheckpointTest, IndexMayNameOnlyFilesOfItsDirectory) {
  TemporaryDirectory other;
  writeShard("inside.safetensors", "a", {1});
  std::filesystem::copy(dir / "inside.safetensors", other / "x");
  std::filesystem::create_directory(dir / "sub");
  std::filesystem::copy(dir / "inside.safetensors", dir / "sub/x");
  for (std::string shard :
       {"../" + other.path.filename().string() + "/x", (other / "x").string(),
        std::string("sub/x"), std::string(".."), std::string("."),
        std::string(""), std::string("a\\\\x"), std::string("a\\u0000x")}) {
    writeIndex("{\"a\":\"" + shard + "\"}");
    refuses({"model.safetensors.index.json", "'a'", "not a file name"});
  }
}

TEST_F(HfCheckpointTest, MissingFilesAndTensorsAreNamed) {
  refuses({dir.path.string(), "neither model.safetensors nor"});
  writeAll(dir / "pytorch_model.bin", "");
  refuses({"convert it to safetensors"});
  writeIndex(R"({"a":"s1.safetensors"})");
  refuses({"model.safetensors.index.json", "'s1.safetensors' is missing"});
  writeShard("s1.safetensors", "b", {1});
  refuses({"model.safetensors.index.json", "'a'", "'s1.safetensors'"});
  expectError(ExitCode::BadInput, {"nowhere", "not a directory"},
              [&] { HfCheckpoint::open(dir / "nowhere"); });
}

TEST_F(HfCheckpointTest, MalformedIndex) {
  writeAll(dir / "model.safetensors.index.json", "{\n\"weight_map\": ");
  refuses({"model.safetensors.index.json:2:", "malformed"});
  writeAll(dir / "model.safetensors.index.json", "{}");
  refuses({"index.json", "'weight_map'", "missing"});
  writeIndex("[]");
  refuses({"index.json", "'weight_map'", "expected an object"});
  writeIndex("{\"a\": 1}");
  refuses({"index.json", "'weight_map'", "expected strings"});
}

TEST_F(HfCheckpointTest, BadShardIsNamed) {
  writeShard("s1.safetensors", "a", {1});
  writeAll(dir / "s2.safetensors", "garbage");
  writeIndex(R"({"a":"s1.safetensors","b":"s2.safetensors"})");
  refuses({(dir / "s2.safetensors").string()});
}

TEST(HfCheckpointReal, TinyStories) {
  const std::filesystem::path model = sharedData("models/tinystories-656k");
  SKIP_WITHOUT(model);
  auto config = nlohmann::json::parse(readAll(model / "config.json"));
  uint64_t hidden = config["hidden_size"], vocab = config["vocab_size"];
  uint64_t ffn = config["intermediate_size"];
  HfCheckpoint checkpoint = HfCheckpoint::open(model);
  checkpoint.require("model.layers.1.mlp.down_proj.weight", Shape{hidden, ffn});
  checkpoint.require("model.norm.weight", Shape{hidden});
  // Tied embeddings: the file may carry the matrix under either name.
  const char *name = checkpoint.find("model.embed_tokens.weight")
                         ? "model.embed_tokens.weight"
                         : "lm_head.weight";
  std::vector<float> embeddings(vocab * hidden);
  checkpoint.readFloat(name, Shape{vocab, hidden}, embeddings);
  for (float value : embeddings)
    ASSERT_TRUE(std::isfinite(value));
}

} // namespace
} // namespace llamarun
