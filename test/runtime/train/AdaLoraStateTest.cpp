#include "runtime/train/AdaLoraState.h"

#include "runtime/io/PeftAdapter.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Initialize.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

constexpr char kModule[] = "model.layers.0.self_attn.q_proj";
const tiny::Options kOptions{.adalora = true};

std::vector<float> get(Session &session, const char *name) {
  return tiny::read<float>(session, fb::Role::Parameter, name);
}
void set(Session &session, const char *name, const std::vector<float> &values) {
  session.writeTensor(fb::Role::Parameter, name,
                      std::as_bytes(std::span(values)));
}

TEST(AdaLoraState, MasksByModuleAndBack) {
  auto plan = tiny::makePlan(kOptions);
  EXPECT_EQ(keptTriplets(*plan, std::vector<float>{1, 1}), std::nullopt);
  auto kept = keptTriplets(*plan, std::vector<float>{0, 1});
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->at(kModule), (std::vector<bool>{false, true}));
  EXPECT_EQ(keptValues(*plan, kept), (std::vector<float>{0, 1}));
  EXPECT_EQ(keptValues(*plan, std::nullopt), (std::vector<float>{1, 1}));
  EXPECT_EQ(keptValues(*plan, KeptTriplets{{"other", {false, false}}}),
            (std::vector<float>{1, 1}));
  EXPECT_EQ(ranksOf(*plan, std::vector<float>{0, 1}),
            std::vector<std::uint32_t>{1});
  expectFailure(ExitCode::BadInput, {kModule, "3 triplets", "rank is 2"}, [&] {
    keptValues(*plan, KeptTriplets{{kModule, {true, true, true}}});
  });
}

TEST(AdaLoraState, BeginsWithEverythingKept) {
  auto session = tiny::openSession(kOptions);
  initializeTensors(*session, 1);
  EXPECT_EQ(readKept(*session), (std::vector<float>{1, 1}));
  EXPECT_EQ(nonZeroTriplets(*session), (std::vector<float>{0, 0}));
}

// What grew again is away while it is evaluated, and back afterwards.
TEST(AdaLoraState, MaskedWhileEvaluating) {
  auto session = tiny::openSession(kOptions);
  const std::vector<float> e = {2, -3};
  set(*session, tiny::kAdaLoraE, e);
  writeKept(*session, std::vector<float>{0, 1});
  EXPECT_EQ(nonZeroTriplets(*session), (std::vector<float>{1, 1}));
  int calls = 0;
  withMaskedTriplets(*session, [&] {
    ++calls;
    EXPECT_EQ(get(*session, tiny::kAdaLoraE), (std::vector<float>{0, -3}));
  });
  EXPECT_EQ(get(*session, tiny::kAdaLoraE), e);
  EXPECT_THROW(withMaskedTriplets(*session,
                                  [&] {
                                    ++calls;
                                    fail(ExitCode::Numerics, "evaluation");
                                  }),
               Error);
  EXPECT_EQ(get(*session, tiny::kAdaLoraE), e);
  auto lora = tiny::openSession();
  withMaskedTriplets(*lora, [&] { ++calls; });
  EXPECT_EQ(calls, 3);
}

TEST(AdaLoraState, SavedWithoutMaskedTripletsAndLoadedBack) {
  TestDirectory directory;
  auto first = tiny::openSession(kOptions);
  initializeTensors(*first, 1);
  set(*first, tiny::kAdaLoraE, {2, -3}); // the first one has grown again
  writeKept(*first, std::vector<float>{0, 1});
  saveAdapter(*first, directory / "run", "base", {}, 20);
  auto config =
      nlohmann::json::parse(contents(directory / "run" / kAdapterConfigFile));
  EXPECT_EQ(config["peft_type"], "ADALORA");
  EXPECT_EQ(config["init_r"], 2);
  EXPECT_EQ(config["target_r"], 1);
  EXPECT_EQ(config["total_step"], 20);
  EXPECT_EQ(config["r"], 8);
  EXPECT_EQ(config["rank_pattern"],
            nlohmann::json(
                {{"model.layers.0.self_attn.q_proj.lora_E", {false, true}}}));
  auto saved = readPeftAdapter(directory / "run");
  EXPECT_EQ(saved.tensors.at(tiny::kAdaLoraA).shape, (Shape{1, 4}));
  EXPECT_EQ(saved.tensors.at(tiny::kAdaLoraE).data, std::vector<float>{-3});
  EXPECT_EQ(saved.tensors.at(tiny::kAdaLoraB).shape, (Shape{4, 1}));

  auto second = tiny::openSession(kOptions);
  initializeTensors(*second, 2);
  auto a = get(*first, tiny::kAdaLoraA), drawn = get(*second, tiny::kAdaLoraA);
  auto b = get(*first, tiny::kAdaLoraB), drawnB = get(*second, tiny::kAdaLoraB);
  set(*second, tiny::kAdaLoraE, {5, 5});
  loadAdapter(*second, directory / "run");
  EXPECT_EQ(get(*second, tiny::kAdaLoraE), (std::vector<float>{0, -3}));
  EXPECT_EQ(readKept(*second), (std::vector<float>{0, 1}));
  // The kept row is the file's, the other one this session's.
  auto a2 = get(*second, tiny::kAdaLoraA), b2 = get(*second, tiny::kAdaLoraB);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(a2[i], drawn[i]);
    EXPECT_EQ(a2[4 + i], a[4 + i]);
    EXPECT_EQ(b2[2 * i], drawnB[2 * i]);
    EXPECT_EQ(b2[2 * i + 1], b[2 * i + 1]);
  }
}

TEST(AdaLoraState, NothingMaskedIsNullAndWhole) {
  TestDirectory directory;
  auto session = tiny::openSession(kOptions);
  initializeTensors(*session, 1);
  saveAdapter(*session, directory / "run", "base", {}, 20);
  EXPECT_TRUE(nlohmann::json::parse(contents(
      directory / "run" / kAdapterConfigFile))["rank_pattern"]
                  .is_null());
  EXPECT_EQ(
      readPeftAdapter(directory / "run").tensors.at(tiny::kAdaLoraA).shape,
      (Shape{2, 4}));
  auto second = tiny::openSession(kOptions);
  writeKept(*second, std::vector<float>{0, 0});
  loadAdapter(*second, directory / "run");
  EXPECT_EQ(readKept(*second), (std::vector<float>{1, 1}));
  EXPECT_EQ(get(*second, tiny::kAdaLoraA), get(*session, tiny::kAdaLoraA));
}

TEST(AdaLoraState, NoRankAtAll) {
  TestDirectory directory;
  auto first = tiny::openSession(kOptions);
  initializeTensors(*first, 1);
  writeKept(*first, std::vector<float>{0, 0});
  saveAdapter(*first, directory / "run", "base", {}, 20);
  auto second = tiny::openSession(kOptions);
  set(*second, tiny::kAdaLoraE, {5, 5});
  loadAdapter(*second, directory / "run");
  EXPECT_EQ(get(*second, tiny::kAdaLoraE), (std::vector<float>{0, 0}));
  EXPECT_EQ(readKept(*second), (std::vector<float>{0, 0}));
}

TEST(AdaLoraState, RefusesOtherMethodsAndRanks) {
  TestDirectory directory;
  auto lora = tiny::openSession();
  auto ours = tiny::openSession(kOptions);
  initializeTensors(*lora, 1);
  initializeTensors(*ours, 1);
  saveAdapter(*lora, directory / "lora", "base");
  saveAdapter(*ours, directory / "adalora", "base", {}, 20);
  expectFailure(ExitCode::BadInput, {"is of LoRA", "of AdaLoRA"},
                [&] { loadAdapter(*ours, directory / "lora"); });
  expectFailure(ExitCode::BadInput, {"is of AdaLoRA", "of LoRA"},
                [&] { loadAdapter(*lora, directory / "adalora"); });
  auto file = directory / "adalora" / kAdapterConfigFile;
  auto config = nlohmann::json::parse(contents(file));
  config["lora_alpha"] = 7;
  directory.write("adalora/adapter_config.json", config.dump());
  expectFailure(ExitCode::BadInput, {kModule, "scales"},
                [&] { loadAdapter(*ours, directory / "adalora"); });
}

} // namespace
} // namespace llamarun
