//===- ImportModelTest.cpp - Hugging Face directory to model.mlir ---------===//
#include "compiler/frontend/ImportModel.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <map>

using namespace llamac;
using Remarks = llvm::SmallVector<std::string>;

namespace {

std::string inSource(const llvm::Twine &path) {
  return (LLAMAC_SOURCE_DIR "/" + path).str();
}

std::string contentsOf(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : "cannot read " + path;
}

std::string imported(llvm::StringRef dir, llvm::StringRef name,
                     Remarks *remarks = nullptr) {
  llvm::Expected<std::string> text = importHfDirectory(dir, name, remarks);
  return text ? *text : llvm::toString(text.takeError());
}

//===----------------------------------------------------------------------===//
// The committed models
//===----------------------------------------------------------------------===//

struct Model {
  const char *name, *dir;
  int64_t parameters; ///< as published; tiny: what its safetensors file holds
};

class CommittedModel : public testing::TestWithParam<Model> {};

/// Sum of the sizes of the weights that the text names.
int64_t countParameters(llvm::StringRef text) {
  int64_t layers = 0;
  std::map<std::string, int64_t> sizes;
  for (llvm::StringRef line : llvm::split(text, '\n')) {
    if (auto [before, after] = line.split(", layers = "); !after.empty())
      after.consumeInteger(10, layers);
    auto [before, rest] = line.split("llm.weight \"");
    if (rest.empty())
      continue;
    auto [name, type] = rest.split('"');
    int64_t size = name.contains("{layer}") ? layers : 1, dim = 0;
    type = type.split('<').second;
    while (!type.consumeInteger(10, dim)) {
      size *= dim;
      type.consume_front("x");
    }
    sizes[name.str()] = size;
  }
  int64_t sum = 0;
  for (auto &[name, size] : sizes)
    sum += size;
  return sum;
}

TEST_P(CommittedModel, isWhatTheImporterMakes) {
  const Model &model = GetParam();
  std::string text =
      contentsOf(inSource("models/" + llvm::Twine(model.name) + ".mlir"));
  EXPECT_EQ(imported(inSource(model.dir), model.name), text);
  EXPECT_LT(llvm::StringRef(text).count('\n'), 150u);
}

TEST_P(CommittedModel, hasThePublishedNumberOfParameters) {
  const Model &model = GetParam();
  EXPECT_EQ(countParameters(contentsOf(
                inSource("models/" + llvm::Twine(model.name) + ".mlir"))),
            model.parameters);
}

INSTANTIATE_TEST_SUITE_P(
    Models, CommittedModel,
    testing::Values(
        Model{"llama3-8b", "models/configs/llama3-8b", 8030261248},
        Model{"llama3.1-8b", "models/configs/llama3.1-8b", 8030261248},
        Model{"llama3.2-1b", "models/configs/llama3.2-1b", 1235814400},
        Model{"llama3.2-3b", "models/configs/llama3.2-3b", 3212749824},
        Model{"tiny", "examples/demo/model", 492160}),
    [](const auto &info) {
      std::string name = info.param.name;
      for (char &c : name)
        if (!llvm::isAlnum(c))
          c = '_';
      return name;
    });

//===----------------------------------------------------------------------===//
// Checkpoint directories
//===----------------------------------------------------------------------===//

/// A directory with a config and any files of one's own.
class Directory : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("llamac-import", dir));
    config("");
  }
  void TearDown() override { llvm::sys::fs::remove_directories(dir); }

  std::string path(llvm::StringRef name) const {
    return (dir + "/" + name).str();
  }

  void write(llvm::StringRef name, llvm::StringRef bytes) {
    std::error_code error;
    llvm::raw_fd_ostream stream(path(name), error);
    stream << bytes;
  }

  /// `extra` starts with a comma, or is empty.
  void config(llvm::StringRef extra) {
    write(
        "config.json",
        (R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
               "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 128)" +
         extra + "}")
            .str());
  }

  /// Tensor names of a decoder of one layer, less head and embedding.
  static std::vector<std::string> decoder() {
    std::vector<std::string> names = {"model.norm.weight"};
    for (const char *name :
         {"input_layernorm", "post_attention_layernorm", "self_attn.q_proj",
          "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
          "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
      names.push_back(std::string("model.layers.0.") + name + ".weight");
    return names;
  }

  /// model.safetensors whose header names `names` besides the decoder's.
  void weights(std::vector<std::string> names) {
    std::string header = "{\"__metadata__\": {}";
    for (auto &list : {decoder(), names})
      for (const std::string &name : list)
        header += ", \"" + name + "\": {}";
    header += "}";
    char length[8];
    llvm::support::endian::write64le(length, header.size());
    write("model.safetensors", std::string(length, 8) + header);
  }

  void index(llvm::StringRef shard) {
    std::string text = "{\"weight_map\": {\"a\": \"model-1.safetensors\"";
    auto names = decoder();
    names.insert(names.end(), {"lm_head.weight", "model.embed_tokens.weight"});
    for (const std::string &name : names)
      text += ", \"" + name + "\": " + shard.str();
    write("model.safetensors.index.json", text + "}}");
  }

  /// The text, or the error without the directory; fills `remarks`.
  std::string import(llvm::StringRef name = "x") {
    remarks.clear();
    std::string text = imported(dir, name, &remarks);
    if (llvm::StringRef(text).starts_with(dir))
      text.erase(0, dir.size() + 1);
    for (std::string &remark : remarks)
      if (llvm::StringRef(remark).starts_with(dir))
        remark.erase(0, dir.size() + 1);
    return text;
  }

  bool importsWith(llvm::StringRef part) {
    return llvm::StringRef(import()).contains(part);
  }

  llvm::SmallString<128> dir;
  Remarks remarks;
};

TEST_F(Directory, withoutWeightsIsImportedWithARemark) {
  EXPECT_TRUE(
      importsWith("llm.weight \"lm_head.weight\" : tensor<128x64xf32>"));
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(remarks[0].find("neither model.safetensors nor"),
            std::string::npos);
}

TEST_F(Directory, withAllWeightsHasNoRemark) {
  weights({"lm_head.weight", "model.embed_tokens.weight"});
  EXPECT_TRUE(importsWith("func.func @logits"));
  EXPECT_TRUE(remarks.empty());
}

TEST_F(Directory, nameIsMadePlain) {
  EXPECT_NE(import("my \"model\"\n").find("name = \"my--model--\""),
            std::string::npos);
  EXPECT_NE(import("").find("name = \"llamac-import"), std::string::npos);
}

TEST_F(Directory, missingHeadIsSaid) {
  weights({"model.embed_tokens.weight"});
  EXPECT_EQ(import(),
            "model.safetensors: has no lm_head.weight but config.json "
            "says that the embeddings are not tied "
            "(tie_word_embeddings false)");
}

TEST_F(Directory, missingTensorsAreNamed) {
  config(", \"tie_word_embeddings\": true");
  weights({});
  EXPECT_EQ(import(),
            "model.safetensors: has no tensor model.embed_tokens.weight, "
            "which config.json calls for");
  config(R"(, "num_hidden_layers": 2)"); // the last of two equal keys counts
  weights({"lm_head.weight", "model.embed_tokens.weight"});
  EXPECT_EQ(import(), "model.safetensors: has no tensor "
                      "model.layers.1.input_layernorm.weight and 8 more, which "
                      "config.json calls for");
}

TEST_F(Directory, tiedEmbeddingHasEitherName) {
  config(", \"tie_word_embeddings\": true");
  for (const char *name : {"lm_head.weight", "model.embed_tokens.weight"}) {
    weights({name});
    std::string text = import();
    EXPECT_NE(text.find("@logits"), std::string::npos) << text;
    EXPECT_EQ(text.find("lm_head.weight"), std::string::npos);
    EXPECT_TRUE(remarks.empty());
  }
  weights({"lm_head.weight", "model.embed_tokens.weight"});
  EXPECT_TRUE(importsWith("@logits"));
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(remarks[0].find("lm_head.weight is ignored"), std::string::npos);
}

TEST_F(Directory, classifierHasNoLogits) {
  weights({"score.weight", "model.embed_tokens.weight"});
  std::string text = import();
  EXPECT_NE(text.find("@hidden"), std::string::npos) << text;
  EXPECT_EQ(text.find("@logits"), std::string::npos);
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(remarks[0].find("no @logits"), std::string::npos);
}

TEST_F(Directory, float16IsWidened) {
  config(", \"torch_dtype\": \"float16\"");
  weights({"lm_head.weight", "model.embed_tokens.weight"});
  EXPECT_TRUE(importsWith("tensor<128x64xf32>"));
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(remarks[0].find("float16"), std::string::npos);
}

TEST_F(Directory, explicitHeadDimShapesTheProjections) {
  config(", \"head_dim\": 32, \"num_key_value_heads\": 2");
  EXPECT_TRUE(importsWith("q_proj.weight\" : tensor<128x64xf32>"));
  EXPECT_TRUE(importsWith("k_proj.weight\" : tensor<64x64xf32>"));
  EXPECT_TRUE(importsWith("o_proj.weight\" : tensor<64x128xf32>"));
  EXPECT_TRUE(importsWith("scale 0.17677669529663687")); // 1/sqrt(32)
}

TEST_F(Directory, indexIsRead) {
  write("model-1.safetensors", "");
  index("\"model-1.safetensors\"");
  EXPECT_TRUE(importsWith("@logits"));
  EXPECT_TRUE(remarks.empty());
}

TEST_F(Directory, indexMayNotLeaveTheDirectory) {
  write("model-1.safetensors", "");
  for (const char *shard :
       {"\"../model-1.safetensors\"", "\"/etc/passwd\"", "\"..\"", "\"\""}) {
    index(shard);
    std::string error = import();
    EXPECT_EQ(error.find("model.safetensors.index.json: "), 0u) << error;
    EXPECT_TRUE(error.find("is not a file name in this directory") !=
                    std::string::npos ||
                error.find("gives no file for") != std::string::npos)
        << error;
  }
  index("\"model-2.safetensors\"");
  EXPECT_EQ(import(), "model.safetensors.index.json: names "
                      "\"model-2.safetensors\", which is not there");
  index("7");
  EXPECT_NE(import().find("gives no file for"), std::string::npos);
  write("model.safetensors.index.json", "{}");
  EXPECT_EQ(
      import(),
      "model.safetensors.index.json: weight_map is missing or not an object");
}

TEST_F(Directory, brokenHeaderIsSaid) {
  write("model.safetensors", "abc");
  EXPECT_EQ(import(), "model.safetensors: is truncated");
  write("model.safetensors", std::string(8, '\xff') + "{}");
  EXPECT_EQ(import().find("model.safetensors: header claims "
                          "18446744073709551615 bytes, the file has 10"),
            0u);
  write("model.safetensors", std::string("\x03\0\0\0\0\0\0\0{}", 10));
  EXPECT_EQ(import().find(
                "model.safetensors: header claims 3 bytes, the file has 10"),
            0u);
  write("model.safetensors", std::string("\x02\0\0\0\0\0\0\0{,", 10));
  EXPECT_EQ(import().find("model.safetensors: not valid JSON"), 0u);
}

TEST_F(Directory, withoutConfigNamesIt) {
  llvm::sys::fs::remove(path("config.json"));
  EXPECT_EQ(import(), "config.json: No such file or directory");
  llvm::sys::fs::create_directory(path("config.json"));
  EXPECT_EQ(import(), "config.json: not a regular file");
}

TEST(ImportModel, realCheckpoint) {
  std::string dir = inSource("../shared/data/models/tinystories-656k");
  if (!llvm::sys::fs::is_directory(dir))
    GTEST_SKIP() << dir << " is not there";
  Remarks remarks;
  std::string text = imported(dir, "", &remarks);
  EXPECT_NE(text.find("name = \"tinystories-656k\""), std::string::npos)
      << text;
  EXPECT_NE(text.find("eps 1.0e-06"), std::string::npos);
  EXPECT_TRUE(remarks.empty());
  // As its README says.
  EXPECT_EQ(countParameters(text),
            2048 * 128 + 128 +
                2 * (2 * 128 + 2 * 128 * 128 + 2 * 64 * 128 + 3 * 384 * 128));
}

} // namespace
