#include "runtime/train/AdapterState.h"

#include "runtime/train/Initialize.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

TEST(AdapterState, RoundTripsThroughPeftFiles) {
  TestDirectory directory;
  auto first = tiny::openSession();
  initializeTensors(*first, 3);
  saveAdapter(*first, directory / "run", "meta/llama");
  auto second = tiny::openSession();
  initializeTensors(*second, 4);
  EXPECT_NE(readParameters(*first).at(tiny::kLoraA).data,
            readParameters(*second).at(tiny::kLoraA).data);
  loadAdapter(*second, directory / "run");
  for (auto &[name, tensor] : readParameters(*first))
    EXPECT_EQ(readParameters(*second).at(name).data, tensor.data) << name;

  auto config =
      nlohmann::json::parse(contents(directory / "run/adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["task_type"], "SEQ_CLS");
  EXPECT_EQ(config["r"], 2);
  EXPECT_EQ(config["lora_alpha"], 6);
  EXPECT_EQ(config["base_model_name_or_path"], "meta/llama");
  // all-linear becomes what it matched.
  EXPECT_EQ(config["target_modules"], nlohmann::json({"q_proj"}));
  EXPECT_EQ(config["modules_to_save"], nlohmann::json({"classifier", "score"}));
  auto file =
      SafetensorsFile::open(directory / "run/adapter_model.safetensors");
  EXPECT_EQ(file.tensors().size(), 3u);
  EXPECT_TRUE(file.find("base_model.model.score.weight"));
  EXPECT_TRUE(file.find(std::string("base_model.model.") + tiny::kLoraB));
}

TEST(AdapterState, CausalAdaptersHaveNoHead) {
  auto plan =
      tiny::makePlan({.task = "lm", .head = fb::Head::CausalLM, .labels = 0});
  auto config = adapterConfig(*plan, "x");
  EXPECT_EQ(config.taskType, "CAUSAL_LM");
  EXPECT_TRUE(config.modulesToSave.empty());
}

TEST(AdapterState, LoadsPyTorchParameters) {
  TestDirectory directory;
  std::vector<float> a(8, 1.5f), b(8, 2.5f), score(4, 3.5f);
  const std::string module =
      "base_model.model.model.layers.0.self_attn.q_proj.";
  auto bytes = [](auto &v) { return std::as_bytes(std::span(v)); };
  std::vector<TensorView> views{
      {module + "lora_A.default.weight", DType::F32, {2, 4}, bytes(a)},
      {module + "lora_B.default.weight", DType::F32, {4, 2}, bytes(b)},
      {"base_model.model.score.modules_to_save.default.weight",
       DType::F32,
       {1, 4},
       bytes(score)}};
  writeSafetensors(directory / "init.safetensors", views);
  auto session = tiny::openSession();
  loadAdapter(*session, directory / "init.safetensors");
  EXPECT_EQ(tiny::read<float>(*session, fb::Role::Parameter, tiny::kLoraB), b);
  EXPECT_EQ(tiny::read<float>(*session, fb::Role::Parameter, "score.weight"),
            score);
}

TEST(AdapterState, RefusesWhatIsNotThePlansAdapter) {
  auto session = tiny::openSession();
  initializeTensors(*session, 1);
  auto good = readParameters(*session);
  auto refuses = [&](const std::vector<std::string> &parts, auto change) {
    auto tensors = good;
    change(tensors);
    expectFailure(ExitCode::BadInput, parts, [&] {
      writeParameters(*session, viewsOf(tensors), "some/file");
    });
  };
  refuses({"some/file", tiny::kLoraA, "missing"},
          [](auto &t) { t.erase(tiny::kLoraA); });
  refuses({"some/file", "other.weight", "not in the plan"}, [](auto &t) {
    t["other.weight"] = {{1}, {0}};
  });
  refuses({"score.weight", "[2, 2]", "[1, 4]"}, [](auto &t) {
    t["score.weight"].shape = {2, 2};
  });
  refuses({tiny::kLoraB, "not finite"},
          [](auto &t) { t[tiny::kLoraB].data[3] = std::nanf(""); });
}

TEST(AdapterState, RefusesAnotherScaling) {
  TestDirectory directory;
  auto session = tiny::openSession();
  initializeTensors(*session, 1);
  PeftAdapter adapter{adapterConfig(session->plan(), "m"),
                      readParameters(*session)};
  adapter.config.alpha = 7;
  writePeftAdapter(directory / "a", adapter);
  expectFailure(ExitCode::BadInput,
                {"adapter_config.json", "q_proj", "3.5", "by 3"},
                [&] { loadAdapter(*session, directory / "a"); });
  // The same scaling, said otherwise.
  adapter.config.alpha = 5;
  adapter.config.alphaPattern["q_proj"] = 6;
  writePeftAdapter(directory / "a", adapter);
  loadAdapter(*session, directory / "a");
}

} // namespace
} // namespace llamarun
