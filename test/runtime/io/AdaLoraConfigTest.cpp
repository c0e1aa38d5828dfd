#include "runtime/io/AdaLoraConfig.h"

#include "runtime/io/PeftConfig.h"
#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

class AdaLoraConfigTest : public testing::Test {
protected:
  PeftConfig parse(const std::string &members) {
    writeAll(dir / "adapter_config.json",
             "{\"peft_type\": \"ADALORA\"" +
                 (members.empty() ? "" : ", " + members) + "}");
    return readPeftConfig(dir / "adapter_config.json");
  }
  void refuses(const std::string &members, std::vector<std::string> parts) {
    SCOPED_TRACE(members);
    parts.push_back((dir / "adapter_config.json").string());
    expectError(ExitCode::BadInput, parts, [&] { parse(members); });
  }
  TemporaryDirectory dir;
};

TEST_F(AdaLoraConfigTest, TotalStepIsRequiredAndTheRestIsPeftsDefaults) {
  PeftConfig config = parse(R"("total_step": 10)");
  EXPECT_TRUE(config.isAdaLora());
  EXPECT_EQ(config.adalora.initR, 12);
  EXPECT_EQ(config.adalora.targetR, 8);
  EXPECT_EQ(config.adalora.tinit, 0);
  EXPECT_EQ(config.adalora.tfinal, 0);
  EXPECT_EQ(config.adalora.deltaT, 1);
  EXPECT_EQ(config.adalora.beta1, 0.85);
  EXPECT_EQ(config.adalora.beta2, 0.85);
  EXPECT_EQ(config.adalora.orthRegWeight, 0.5);
  EXPECT_FALSE(config.adalora.kept);
  refuses("", {"'total_step'"});
  refuses(R"("total_step": null)", {"'total_step'"});
}

TEST_F(AdaLoraConfigTest, RanksAndScaling) {
  PeftConfig config = parse(
      R"("total_step": 10, "init_r": 3, "lora_alpha": 6, "r": 8, "rank_pattern":
      {"model.a.lora_E": [true, false, true], "b.lora_E.default": [false, false, false]})");
  // Every other module keeps all; `r` does not count.
  EXPECT_EQ(config.rankOf("model.a"), 2);
  EXPECT_EQ(config.rankOf("b"), 0);
  EXPECT_EQ(config.rankOf("a"), 3);
  // Never by the current rank, and with PEFT's 1e-5.
  EXPECT_DOUBLE_EQ(config.scalingOf("b"), 6 / 3.00001);
  EXPECT_DOUBLE_EQ(config.scalingOf("a"), 6 / 3.00001);
  config.alpha = 0;
  EXPECT_DOUBLE_EQ(config.scalingOf("a"), 3 / 3.00001);
}

TEST_F(AdaLoraConfigTest, RefusesWhatPeftRefuses) {
  refuses(R"("total_step": 0)", {"'total_step'"});
  refuses(R"("total_step": 8, "tinit": 3, "tfinal": 5)",
          {"'total_step'", "tinit and tfinal"});
  refuses(R"("total_step": 8, "tfinal": 9)", {"'total_step'"});
  refuses(R"("total_step": 9, "init_r": 0)", {"'init_r'"});
  refuses(R"("total_step": 9, "init_r": 1e9)", {"'init_r'"});
  refuses(R"("total_step": 9, "deltaT": 0)", {"'deltaT'"});
  refuses(R"("total_step": 9, "beta1": 1.0)", {"'beta1'"});
  refuses(R"("total_step": 9, "beta2": 0)", {"'beta2'"});
  refuses(R"("total_step": 9, "orth_reg_weight": -0.1)", {"'orth_reg_weight'"});
}

TEST_F(AdaLoraConfigTest, MasksAreBooleansOfTheInitialRank) {
  const std::string begin = R"("total_step": 9, "init_r": 2, "rank_pattern": )";
  // Integers would be indices: PEFT's files have booleans.
  refuses(begin + R"({"m.lora_E": [1, 0]})", {"'rank_pattern'", "'m.lora_E'"});
  refuses(begin + R"({"m.lora_E": [true]})", {"'m.lora_E'", "init_r = 2"});
  refuses(begin + R"({"m.lora_E": 2})", {"'m.lora_E'", "init_r = 2"});
  refuses(begin + R"({"m.lora_A": [true, true]})", {"'m.lora_A'"});
  refuses(begin + R"({".lora_E": [true, true]})", {"'.lora_E'"});
  refuses(begin + "[true, false]", {"'rank_pattern'", "null"});
  refuses(begin + R"({"m.lora_E": [true, true],
                      "m.lora_E.default": [true, true]})",
          {"'m' twice"});
  EXPECT_FALSE(parse(begin + "null").adalora.kept);
}

TEST_F(AdaLoraConfigTest, TextIsAsPeftWritesItAndReadsBack) {
  PeftConfig config = parse(
      R"("total_step": 20, "init_r": 2, "target_r": 1, "tinit": 3, "tfinal": 4,
      "deltaT": 5, "beta1": 0.7, "beta2": 0.6, "orth_reg_weight": 0.1,
      "lora_alpha": 16, "task_type": "CAUSAL_LM", "target_modules": ["q_proj"],
      "rank_pattern": {"m.q_proj.lora_E": [false, true]})");
  std::string text = toJson(config);
  EXPECT_EQ(text, R"({
  "alpha_pattern": {},
  "base_model_name_or_path": null,
  "beta1": 0.7,
  "beta2": 0.6,
  "bias": "none",
  "deltaT": 5,
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "init_r": 2,
  "lora_alpha": 16,
  "lora_dropout": 0.0,
  "modules_to_save": null,
  "orth_reg_weight": 0.1,
  "peft_type": "ADALORA",
  "r": 8,
  "rank_pattern": {
    "m.q_proj.lora_E": [
      false,
      true
    ]
  },
  "target_modules": [
    "q_proj"
  ],
  "target_r": 1,
  "task_type": "CAUSAL_LM",
  "tfinal": 4,
  "tinit": 3,
  "total_step": 20,
  "use_rslora": false
})");
  writeAll(dir / "again.json", text);
  EXPECT_EQ(toJson(readPeftConfig(dir / "again.json")), text);
  config.adalora.kept.reset();
  EXPECT_NE(toJson(config).find("\"rank_pattern\": null"), std::string::npos);
}

} // namespace
} // namespace llamarun
