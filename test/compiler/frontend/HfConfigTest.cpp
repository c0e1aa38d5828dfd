//===- HfConfigTest.cpp - config.json, good and bad -----------------------===//
//
// Expected values: Transformers' LlamaConfig (configuration_llama.py,
// modeling_rope_utils.py).
//
//===----------------------------------------------------------------------===//
#include "compiler/frontend/HfConfig.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "gtest/gtest.h"

using namespace llamac;
namespace json = llvm::json;

namespace {

/// Nothing but what has no default.
json::Object minimal() {
  return json::Object{{"model_type", "llama"},    {"hidden_size", 64},
                      {"intermediate_size", 96},  {"num_hidden_layers", 2},
                      {"num_attention_heads", 4}, {"vocab_size", 128}};
}

/// `minimal` with the given keys in place or besides.
json::Object
with(std::initializer_list<std::pair<const char *, json::Value>> keys) {
  json::Object object = minimal();
  for (auto &[key, value] : keys)
    object[key] = value;
  return object;
}

HfConfig good(json::Object object) {
  llvm::Expected<HfConfig> config =
      parseHfConfig(llvm::formatv("{0}", json::Value(std::move(object))).str(),
                    "config.json");
  if (!config) {
    ADD_FAILURE() << llvm::toString(config.takeError());
    return {};
  }
  return *config;
}

std::string errorOf(llvm::StringRef text) {
  llvm::Expected<HfConfig> config = parseHfConfig(text, "dir/config.json");
  return config ? "accepted" : llvm::toString(config.takeError());
}

std::string errorOf(json::Object object) {
  return errorOf(llvm::formatv("{0}", json::Value(std::move(object))).str());
}

json::Object llama3Rope(const char *typeKey) {
  return json::Object{{typeKey, "llama3"},
                      {"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 8192}};
}

void expectLlama3(const HfConfig &config, double theta) {
  EXPECT_EQ(config.ropeTheta, theta);
  ASSERT_TRUE(config.ropeScaling);
  EXPECT_EQ(config.ropeScaling->factor, 8);
  EXPECT_EQ(config.ropeScaling->lowFreqFactor, 1);
  EXPECT_EQ(config.ropeScaling->highFreqFactor, 4);
  EXPECT_EQ(config.ropeScaling->originalMaxPositions, 8192);
}

TEST(HfConfig, defaultsAreThoseOfLlamaConfig) {
  HfConfig config = good(minimal());
  EXPECT_EQ(config.hiddenSize, 64);
  EXPECT_EQ(config.intermediateSize, 96);
  EXPECT_EQ(config.numLayers, 2);
  EXPECT_EQ(config.numHeads, 4);
  EXPECT_EQ(config.numKvHeads, 4);
  EXPECT_EQ(config.headDim, 16);
  EXPECT_EQ(config.vocabSize, 128);
  EXPECT_EQ(config.maxPositions, 2048);
  EXPECT_EQ(config.rmsNormEps, 1e-6);
  EXPECT_EQ(config.ropeTheta, 1e4);
  EXPECT_EQ(config.initializerRange, 0.02);
  EXPECT_FALSE(config.ropeScaling);
  EXPECT_FALSE(config.tieWordEmbeddings);
  EXPECT_EQ(config.dtype, HfDType::F32);
  EXPECT_FALSE(config.bosTokenId);
  EXPECT_FALSE(config.padTokenId);
  EXPECT_TRUE(config.eosTokenIds.empty());
}

TEST(HfConfig, readsEveryKey) {
  HfConfig config = good(with({{"num_key_value_heads", 2},
                               {"head_dim", 32},
                               {"max_position_embeddings", 512},
                               {"rms_norm_eps", 1e-5},
                               {"initializer_range", 0.01},
                               {"tie_word_embeddings", true},
                               {"torch_dtype", "bfloat16"},
                               {"bos_token_id", 1},
                               {"eos_token_id", 2},
                               {"pad_token_id", 0}}));
  EXPECT_EQ(config.numKvHeads, 2);
  EXPECT_EQ(config.headDim, 32); // not hidden_size / heads
  EXPECT_EQ(config.maxPositions, 512);
  EXPECT_EQ(config.rmsNormEps, 1e-5);
  EXPECT_EQ(config.initializerRange, 0.01);
  EXPECT_TRUE(config.tieWordEmbeddings);
  EXPECT_EQ(config.dtype, HfDType::BF16);
  EXPECT_EQ(config.bosTokenId, 1);
  EXPECT_EQ(config.padTokenId, 0);
  ASSERT_EQ(config.eosTokenIds.size(), 1u);
  EXPECT_EQ(config.eosTokenIds[0], 2);
}

TEST(HfConfig, eosMayBeAListAndNullIsAbsent) {
  HfConfig config = good(with({{"eos_token_id", json::Array{7, 9}},
                               {"pad_token_id", -1},
                               {"bos_token_id", nullptr},
                               {"head_dim", nullptr},
                               {"num_key_value_heads", nullptr},
                               {"rope_scaling", nullptr}}));
  ASSERT_EQ(config.eosTokenIds.size(), 2u);
  EXPECT_EQ(config.eosTokenIds[1], 9);
  EXPECT_FALSE(config.padTokenId);
  EXPECT_FALSE(config.bosTokenId);
  EXPECT_EQ(config.headDim, 16);
  EXPECT_EQ(config.numKvHeads, 4);
}

TEST(HfConfig, dtypeInBothStyles) {
  EXPECT_EQ(good(with({{"dtype", "bfloat16"}})).dtype, HfDType::BF16);
  EXPECT_EQ(good(with({{"torch_dtype", "float16"}})).dtype, HfDType::F16);
  // Version 5's key wins.
  EXPECT_EQ(
      good(with({{"dtype", "float32"}, {"torch_dtype", "bfloat16"}})).dtype,
      HfDType::F32);
}

TEST(HfConfig, ropeInEveryStyle) {
  EXPECT_EQ(good(with({{"rope_theta", 5e5}})).ropeTheta, 5e5);
  expectLlama3(good(with({{"rope_theta", 5e5},
                          {"rope_scaling", llama3Rope("rope_type")}})),
               5e5);
  expectLlama3(
      good(with({{"rope_theta", 5e5}, {"rope_scaling", llama3Rope("type")}})),
      5e5);
  json::Object version5 = llama3Rope("rope_type");
  version5["rope_theta"] = 7e5;
  expectLlama3(good(with({{"rope_parameters", std::move(version5)}})), 7e5);
  // Version 5 with what version 4 left beside the object.
  json::Object bare = llama3Rope("rope_type");
  bare.erase("original_max_position_embeddings");
  expectLlama3(good(with({{"rope_theta", 5e5},
                          {"original_max_position_embeddings", 8192},
                          {"rope_parameters", std::move(bare)}})),
               5e5);
  HfConfig plain =
      good(with({{"rope_parameters", json::Object{{"rope_type", "default"},
                                                  {"rope_theta", 3e4}}}}));
  EXPECT_FALSE(plain.ropeScaling);
  EXPECT_EQ(plain.ropeTheta, 3e4);
}

TEST(HfConfig, missingKeysAreNamed) {
  for (const char *key :
       {"model_type", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "vocab_size"}) {
    json::Object object = minimal();
    object.erase(key);
    EXPECT_EQ(errorOf(std::move(object)),
              std::string("dir/config.json: ") + key + " is missing");
  }
  for (const char *key : {"factor", "low_freq_factor", "high_freq_factor",
                          "original_max_position_embeddings"}) {
    json::Object rope = llama3Rope("rope_type");
    rope.erase(key);
    EXPECT_EQ(errorOf(with({{"rope_scaling", std::move(rope)}})),
              std::string("dir/config.json: rope_scaling.") + key +
                  " is missing");
  }
}

struct BadConfig {
  const char *key;
  json::Value value;
  const char *message; ///< after "dir/config.json: "
};

TEST(HfConfig, badValuesAreNamed) {
  const BadConfig cases[] = {
      {"hidden_size", "64", "hidden_size is \"64\", must be an integer"},
      {"hidden_size", 64.5, "hidden_size is 64.5, must be an integer"},
      {"hidden_size", -64, "hidden_size is -64, must be 1 to 16777216"},
      {"hidden_size", 1e15,
       "hidden_size is 1000000000000000, must be 1 to 16777216"},
      {"hidden_size", 66,
       "hidden_size is 66, not a multiple of num_attention_heads 4, and "
       "head_dim is missing"},
      {"vocab_size", 0, "vocab_size is 0, must be 1 to 16777216"},
      {"num_hidden_layers", 1000000,
       "num_hidden_layers is 1000000, must be 1 to 10000"},
      {"num_key_value_heads", 3,
       "num_attention_heads is 4, not a multiple of num_key_value_heads 3"},
      {"head_dim", 15,
       "head_dim is 15, must be even: rotary embedding turns pairs"},
      {"head_dim", 16777216,
       "head_dim is 16777216: 4 heads of it are more than 16777216 columns"},
      {"max_position_embeddings", 4294967296,
       "max_position_embeddings is 4294967296, must be 1 to 2147483647"},
      {"rms_norm_eps", 0.0, "rms_norm_eps is 0, must be a positive number"},
      {"rms_norm_eps", "small",
       "rms_norm_eps is \"small\", must be a positive number"},
      {"rope_theta", -1.0, "rope_theta is -1, must be a positive number"},
      {"initializer_range", -0.5,
       "initializer_range is -0.5, must be a number of at least 0"},
      {"tie_word_embeddings", 1,
       "tie_word_embeddings is 1, must be true or false"},
      {"eos_token_id", "two", "eos_token_id is \"two\", must be an integer"},
      {"eos_token_id", json::Array{1, "two"},
       "eos_token_id has \"two\", must be a list of token ids"},
      {"torch_dtype", "int8",
       "torch_dtype is \"int8\", must be \"float32\", \"bfloat16\" or "
       "\"float16\""},
      {"dtype", 4, "dtype is 4, must be a string"},
      {"rope_scaling", "llama3",
       "rope_scaling is \"llama3\", must be an object"},
      {"rope_scaling", json::Object{{"factor", 2.0}},
       "rope_scaling.rope_type is missing"},
      // What Transformers computes and we do not.
      {"model_type", "mistral",
       "model_type is \"mistral\", only \"llama\" is supported"},
      {"hidden_act", "gelu",
       "hidden_act is \"gelu\", only \"silu\" is supported"},
      {"attention_bias", true,
       "attention_bias is true, biases are not supported"},
      {"mlp_bias", true, "mlp_bias is true, biases are not supported"},
      {"attention_dropout", 0.1,
       "attention_dropout is not 0, which is not supported"},
      {"quantization_config", json::Object{},
       "quantization_config is present, quantized weights are not supported"},
      {"partial_rotary_factor", 0.5,
       "partial_rotary_factor is not 1, which is not supported"},
  };
  for (const BadConfig &bad : cases)
    EXPECT_EQ(errorOf(with({{bad.key, bad.value}})),
              std::string("dir/config.json: ") + bad.message);
}

TEST(HfConfig, otherRopeTypesAreRefusedByName) {
  for (std::string type : {"linear", "dynamic", "yarn", "longrope"}) {
    json::Object rope{{"type", type}, {"factor", 2.0}};
    EXPECT_EQ(errorOf(with({{"rope_scaling", std::move(rope)}})),
              "dir/config.json: rope_scaling.type is \"" + type +
                  "\", only \"llama3\" and \"default\" are supported");
  }
}

TEST(HfConfig, badScalingIsNamed) {
  auto scaled = [](const char *key, double value) {
    json::Object rope = llama3Rope("rope_type");
    rope[key] = value;
    return errorOf(with({{"rope_parameters", std::move(rope)}}));
  };
  EXPECT_EQ(scaled("factor", 0.5),
            "dir/config.json: rope_parameters.factor is less than 1");
  EXPECT_EQ(scaled("low_freq_factor", 4.0),
            "dir/config.json: rope_parameters.low_freq_factor must be less "
            "than high_freq_factor");
  EXPECT_EQ(
      errorOf(with({{"rope_scaling", llama3Rope("rope_type")},
                    {"rope_parameters", json::Object{{"rope_theta", 1e4}}}})),
      "dir/config.json: rope_scaling and rope_parameters contradict "
      "each other");
}

TEST(HfConfig, malformedTextIsLocated) {
  EXPECT_EQ(errorOf("[]"), "dir/config.json: must be a JSON object");
  EXPECT_EQ(errorOf("{\n  \"hidden_size\": 64,,\n}")
                .find("dir/config.json: not valid JSON: [2:"),
            0u);
  EXPECT_NE(errorOf("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(errorOf("{\"model_type\": \"\xff\"}").find("not valid JSON"),
            std::string::npos);
  // The JSON parser recurses: without a limit this overflows the stack.
  std::string deep(1000000, '[');
  EXPECT_EQ(errorOf(deep), "dir/config.json: JSON is nested deeper than 64");
  // Brackets in strings nest nothing.
  EXPECT_EQ(errorOf("{\"a\": \"" + std::string(100, '[') + "\\\"[\"}"),
            "dir/config.json: model_type is missing");
}

TEST(HfConfig, aFileThatIsNotThereIsNamed) {
  llvm::Expected<HfConfig> config = readHfConfig("no/such/config.json");
  ASSERT_FALSE(config);
  EXPECT_EQ(llvm::toString(config.takeError()),
            "no/such/config.json: No such file or directory");
}

} // namespace
