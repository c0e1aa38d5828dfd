#include "runtime/io/PeftConfig.h"

#include "test/runtime/io/TestFiles.h"

#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

class PeftConfigTest : public testing::Test {
protected:
  PeftConfig parse(const std::string &text) {
    writeAll(dir / "adapter_config.json", text);
    return readPeftConfig(dir / "adapter_config.json");
  }
  void refuses(const std::string &member, std::vector<std::string> parts) {
    SCOPED_TRACE(member);
    parts.push_back((dir / "adapter_config.json").string());
    expectError(ExitCode::BadInput, parts, [&] {
      parse("{\"peft_type\": \"LORA\"" + (member.empty() ? "" : ", " + member) +
            "}");
    });
  }
  TemporaryDirectory dir;
};

TEST_F(PeftConfigTest, OnlyTheTypeIsRequired) {
  // The defaults of peft/tuners/lora/config.py.
  PeftConfig config = parse(R"({"peft_type": "LORA", "from_the_future": [1]})");
  EXPECT_EQ(config.r, 8);
  EXPECT_EQ(config.alpha, 8);
  EXPECT_EQ(config.dropout, 0);
  EXPECT_FALSE(config.useRslora);
  EXPECT_EQ(config.taskType, "");
  EXPECT_EQ(std::get<0>(config.targetModules),
            (std::vector<std::string>{"q_proj", "v_proj"}));
  EXPECT_TRUE(config.modulesToSave.empty());
}

TEST_F(PeftConfigTest, ReadsWhatBearsOnTheResult) {
  PeftConfig config = parse(R"({"peft_type": "LORA", "task_type": "SEQ_CLS",
    "base_model_name_or_path": "meta/x", "r": 4, "lora_alpha": 12.5,
    "lora_dropout": 0.05, "use_rslora": true, "target_modules": ".*_proj",
    "modules_to_save": ["score"], "rank_pattern": {"k_proj": 2},
    "alpha_pattern": {"layers.1.*": 3}, "init_lora_weights": "gaussian",
    "bias": "none", "use_dora": false, "layer_replication": null,
    "loftq_config": {}, "trainable_token_indices": null})");
  EXPECT_EQ(config.taskType, "SEQ_CLS");
  EXPECT_EQ(config.baseModel, "meta/x");
  EXPECT_EQ(config.r, 4);
  EXPECT_EQ(config.alpha, 12.5);
  EXPECT_EQ(config.dropout, 0.05);
  EXPECT_TRUE(config.useRslora);
  EXPECT_EQ(std::get<1>(config.targetModules), ".*_proj");
  EXPECT_EQ(config.modulesToSave, std::vector<std::string>{"score"});
  EXPECT_EQ(config.rankOf("model.layers.0.self_attn.k_proj"), 2);
  EXPECT_EQ(config.rankOf("model.layers.0.self_attn.q_proj"), 4);
  EXPECT_DOUBLE_EQ(config.scalingOf("model.layers.0.self_attn.q_proj"),
                   12.5 / 2);
  EXPECT_DOUBLE_EQ(config.scalingOf("model.layers.1.self_attn.k_proj"),
                   3 / std::sqrt(2.0));
  config.useRslora = false;
  EXPECT_DOUBLE_EQ(config.scalingOf("model.layers.1.self_attn.k_proj"), 1.5);
}

TEST_F(PeftConfigTest, WrongTypesAndValuesNameFileAndKey) {
  refuses(R"("r": "8")", {"'r'", "expected an integer, found string"});
  refuses(R"("r": 8.5)", {"'r'"});
  refuses(R"("r": 0)", {"'r'", "from 1"});
  refuses(R"("r": -1)", {"'r'"});
  refuses(R"("r": 4000000000)", {"'r'"});
  refuses(R"("lora_alpha": "x")", {"'lora_alpha'"});
  refuses(R"("lora_dropout": 1.5)", {"'lora_dropout'"});
  refuses(R"("use_rslora": 1)", {"'use_rslora'"});
  refuses(R"("task_type": 3)", {"'task_type'"});
  refuses(R"("target_modules": 3)", {"'target_modules'"});
  refuses(R"("target_modules": [3])", {"'target_modules'"});
  refuses(R"("modules_to_save": "score")", {"'modules_to_save'"});
  refuses(R"("rank_pattern": [])", {"'rank_pattern'"});
  refuses(R"("rank_pattern": {"a": 0})", {"'rank_pattern'"});
  refuses(R"("rank_pattern": {"a": [true]})", {"'rank_pattern'"});
  refuses(R"("alpha_pattern": {"a": "b"})", {"'alpha_pattern'"});
  refuses(R"("bias": 1)", {"'bias'"});
  refuses(R"("init_lora_weights": 1)", {"'init_lora_weights'"});
}

TEST_F(PeftConfigTest, RefusesWhatWouldChangeTheResult) {
  refuses(R"("use_dora": true)", {"'use_dora'"});
  refuses(R"("bias": "lora_only")", {"'bias'", "'lora_only'"});
  refuses(R"("lora_bias": true)", {"'lora_bias'"});
  refuses(R"("layer_replication": [[0, 2]])", {"'layer_replication'"});
  refuses(R"("use_qalora": true)", {"'use_qalora'"});
  refuses(R"("alora_invocation_tokens": [1])", {"'alora_invocation_tokens'"});
  refuses(R"("trainable_token_indices": [1])", {"'trainable_token_indices'"});
  refuses(R"("target_parameters": ["w"])", {"'target_parameters'"});
  refuses(R"("init_lora_weights": "pissa")",
          {"'init_lora_weights'", "'pissa'"});
  expectError(ExitCode::BadInput, {"'peft_type'", "'IA3'"},
              [&] { parse(R"({"peft_type": "IA3"})"); });
  expectError(ExitCode::BadInput, {"'peft_type'", "missing"},
              [&] { parse("{}"); });
}

TEST_F(PeftConfigTest, TextIsSortedIndentedAndReadsBack) {
  PeftConfig config;
  config.taskType = "SEQ_CLS";
  config.baseModel = "meta-llama/Llama-3.2-1B";
  config.r = 16;
  config.alpha = 32;
  config.dropout = 0.05;
  config.targetModules = std::vector<std::string>{"v_proj", "q_proj"};
  config.modulesToSave = {"classifier", "score"};
  EXPECT_EQ(toJson(config), R"({
  "alpha_pattern": {},
  "base_model_name_or_path": "meta-llama/Llama-3.2-1B",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "lora_alpha": 32,
  "lora_dropout": 0.05,
  "modules_to_save": [
    "classifier",
    "score"
  ],
  "peft_type": "LORA",
  "r": 16,
  "rank_pattern": {},
  "target_modules": [
    "v_proj",
    "q_proj"
  ],
  "task_type": "SEQ_CLS",
  "use_rslora": false
})");
  config.useRslora = true;
  config.rankPattern = {{"k_proj", 3}};
  config.alphaPattern = {{"k_proj", 1.5}};
  config.targetModules = "all-linear";
  PeftConfig read = parse(toJson(config));
  EXPECT_EQ(toJson(read), toJson(config));
  EXPECT_EQ(read.alphaPattern, config.alphaPattern);
  EXPECT_EQ(read.rankPattern, config.rankPattern);
}

TEST_F(PeftConfigTest, NullsForWhatIsAbsent) {
  auto text = nlohmann::json::parse(toJson({}));
  EXPECT_TRUE(text.at("task_type").is_null());
  EXPECT_TRUE(text.at("modules_to_save").is_null());
  EXPECT_TRUE(text.at("base_model_name_or_path").is_null());
}

TEST_F(PeftConfigTest, HostilePatterns) {
  refuses(R"("rank_pattern": {"(": 2})", {"'rank_pattern'", "'('"});
  refuses(R"("alpha_pattern": {"[": 2})", {"'alpha_pattern'", "'['"});
  std::string many = "\"alpha_pattern\": {\"a\": 1";
  for (int i = 0; i < 10'000; ++i)
    many += ",\"a" + std::to_string(i) + "\":1";
  refuses(many + "}", {"'alpha_pattern'", "more than"});
}

} // namespace
} // namespace llamarun
