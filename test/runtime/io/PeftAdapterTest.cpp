#include "runtime/io/PeftAdapter.h"

#include "runtime/io/Triplets.h"
#include "test/runtime/io/TestFiles.h"

#include <csignal>
#include <sys/resource.h>

namespace llamarun {
namespace {

const std::string kA = "model.layers.0.self_attn.q_proj.lora_A.weight";
const std::string kB = "model.layers.0.self_attn.q_proj.lora_B.weight";

AdapterTensor tensor(Shape shape, float first) {
  size_t elements = 1;
  for (uint64_t extent : shape)
    elements *= extent;
  AdapterTensor result{shape, std::vector<float>(elements)};
  for (float &value : result.data)
    value = first++;
  return result;
}

PeftAdapter smallAdapter() {
  PeftAdapter adapter;
  adapter.config.taskType = "SEQ_CLS";
  adapter.config.r = 2;
  adapter.config.targetModules = std::vector<std::string>{"q_proj"};
  adapter.config.modulesToSave = {"classifier", "score"};
  adapter.tensors = {{kA, tensor({2, 4}, 0)},
                     {kB, tensor({6, 2}, 100)},
                     {"score.weight", tensor({2, 4}, 200)}};
  return adapter;
}

TEST(PeftNames, OfFilesAndOfParameters) {
  const std::string p = "base_model.model.", q = "model.layers.0.mlp.up_proj";
  EXPECT_EQ(fromPeftName(p + q + ".lora_A.weight"), q + ".lora_A.weight");
  EXPECT_EQ(fromPeftName(p + q + ".lora_B.default.weight"),
            q + ".lora_B.weight");
  EXPECT_EQ(fromPeftName(p + q + ".lora_E"), q + ".lora_E");
  EXPECT_EQ(fromPeftName(p + q + ".lora_A.default"), q + ".lora_A");
  EXPECT_EQ(fromPeftName(p + "score.weight"), "score.weight");
  EXPECT_EQ(fromPeftName(p + "score.modules_to_save.default.weight"),
            "score.weight");
  for (std::string name :
       {std::string("score.weight"), p, std::string(""),
        p + q + ".base_layer.weight", p + "score.original_module.weight",
        p + q + ".lora_A.other.weight", p + q + ".lora_A.bias",
        p + q + ".lora_magnitude_vector", p + q + ".lora_embedding_A",
        p + ".lora_A.weight", p + "score.modules_to_save.other.weight"})
    EXPECT_EQ(fromPeftName(name), std::nullopt) << name;
  EXPECT_EQ(toPeftName("score.weight"), "base_model.model.score.weight");
}

TEST(PeftAdapter, WritesThePeftNamesAndReadsThemBack) {
  TemporaryDirectory dir;
  PeftAdapter adapter = smallAdapter();
  writePeftAdapter(dir / "new/run", adapter);
  EXPECT_EQ(entriesIn(dir / "new/run"), 2u);
  SafetensorsFile file =
      SafetensorsFile::open(dir / "new/run/adapter_model.safetensors");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  ASSERT_EQ(file.tensors().size(), 3u);
  const TensorView *b = file.find("base_model.model." + kB);
  ASSERT_TRUE(b && file.find("base_model.model." + kA) &&
              file.find("base_model.model.score.weight"));
  EXPECT_EQ(b->dtype, DType::F32);
  EXPECT_EQ(b->shape, (Shape{6, 2}));

  PeftAdapter read = readPeftAdapter(dir / "new/run");
  EXPECT_EQ(toJson(read.config), toJson(adapter.config));
  ASSERT_EQ(read.tensors.size(), 3u);
  for (const auto &[name, want] : adapter.tensors) {
    EXPECT_EQ(read.tensors.at(name).shape, want.shape) << name;
    EXPECT_EQ(read.tensors.at(name).data, want.data) << name;
  }
}

TEST(PeftAdapter, OldAdapterSurvivesAFailedWrite) {
  TemporaryDirectory dir;
  PeftAdapter adapter = smallAdapter();
  writePeftAdapter(dir.path, adapter);
  std::string weights = readAll(dir / kAdapterWeightsFile);
  std::string config = readAll(dir / kAdapterConfigFile);

  // The weights fit below the limit and the config does not.
  adapter.tensors.at(kA).data[0] = -1;
  adapter.config.baseModel = std::string(5000, 'x');
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  rlimit limit{2000, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  expectError(ExitCode::Storage, {(dir / kAdapterConfigFile).string()},
              [&] { writePeftAdapter(dir.path, adapter); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);

  EXPECT_EQ(readAll(dir / kAdapterWeightsFile), weights);
  EXPECT_EQ(readAll(dir / kAdapterConfigFile), config);
  EXPECT_EQ(entriesIn(dir.path), 2u);
}

// Writes an adapter whose weights are `views` and expects it to be refused.
void refuses(const std::vector<std::pair<std::string, Shape>> &tensors,
             std::vector<std::string> parts, DType dtype = DType::F32) {
  TemporaryDirectory dir;
  writeAll(dir / kAdapterConfigFile,
           R"({"peft_type": "LORA", "task_type": "SEQ_CLS", "r": 2})");
  std::vector<std::byte> zeros(4096);
  std::vector<TensorView> views;
  for (const auto &[name, shape] : tensors) {
    size_t bytes = bitsOf(dtype) / 8;
    for (uint64_t extent : shape)
      bytes *= extent;
    views.push_back({"base_model.model." + name, dtype, shape,
                     std::span(zeros).first(bytes)});
  }
  writeSafetensors(dir / kAdapterWeightsFile, views);
  parts.push_back((dir / kAdapterWeightsFile).string());
  expectError(ExitCode::BadInput, parts, [&] { readPeftAdapter(dir.path); });
}

TEST(PeftAdapter, RefusesTensorsThatDoNotFit) {
  std::pair<std::string, Shape> a{kA, {2, 4}}, b{kB, {6, 2}},
      score{"score.weight", {2, 4}};
  refuses({a, b}, {"'base_model.model.score.weight' is missing"});
  refuses({a, score}, {kA, "no partner", kB});
  refuses({b, score}, {kB, "no partner", kA});
  refuses({{kA, {3, 4}}, b, score}, {kA, "[3, 4]", "expected [2, in]"});
  refuses({a, {kB, {6, 3}}, score}, {kB, "[6, 3]", "expected [out, 2]"});
  refuses({{kA, {8}}, b, score}, {kA, "[8]"});
  refuses({a, b, {"score.weight", {8}}}, {"score.weight", "two dimensions"});
  refuses({a, b, score, {"model.embed_tokens.weight", {2, 4}}},
          {"embed_tokens", "not supported"});
  refuses({a, b, score, {"model.x.lora_magnitude_vector", {2}}},
          {"lora_magnitude_vector"});
  refuses({a, b, score, {"score.modules_to_save.default.weight", {2, 4}}},
          {"both stand for 'score.weight'"});
  refuses({a, b, score}, {"I32"}, DType::I32);
}

TEST(PeftAdapter, ReadsHalfPrecision) {
  TemporaryDirectory dir;
  writeAll(dir / kAdapterConfigFile, R"({"peft_type": "LORA", "r": 1})");
  std::vector<uint16_t> a = {0x3fc0, 0xc000}, b = {0x3f80}; // 1.5, -2; 1
  std::vector<TensorView> views = {
      {toPeftName(kA), DType::BF16, {1, 2}, std::as_bytes(std::span(a))},
      {toPeftName(kB), DType::BF16, {1, 1}, std::as_bytes(std::span(b))}};
  writeSafetensors(dir / kAdapterWeightsFile, views);
  PeftAdapter adapter = readPeftAdapter(dir.path);
  EXPECT_EQ(adapter.tensors.at(kA).data, (std::vector<float>{1.5f, -2}));
}

TEST(PeftAdapter, WriterRefusesTensorsThatReadersWould) {
  TemporaryDirectory dir;
  PeftAdapter adapter = smallAdapter();
  adapter.tensors.at(kB).data.pop_back();
  expectError(ExitCode::BadInput, {kB},
              [&] { writePeftAdapter(dir / "x", adapter); });
  adapter = smallAdapter();
  adapter.tensors["model.norm.weight"] = tensor({4}, 0);
  expectError(ExitCode::BadInput, {"model.norm.weight"},
              [&] { writePeftAdapter(dir / "y", adapter); });
}

TEST(PeftAdapter, UnwritableDirectory) {
  TemporaryDirectory dir;
  writeAll(dir / "file", "");
  expectError(ExitCode::Storage, {(dir / "file").string()},
              [&] { writePeftAdapter(dir / "file", smallAdapter()); });
}

TEST(PeftAdapter, MissingFilesAreNamed) {
  TemporaryDirectory dir;
  expectError(ExitCode::BadInput, {(dir / kAdapterConfigFile).string()},
              [&] { readPeftAdapter(dir.path); });
  writeAll(dir / kAdapterConfigFile, R"({"peft_type": "LORA"})");
  expectError(ExitCode::BadInput, {(dir / kAdapterWeightsFile).string()},
              [&] { readPeftAdapter(dir.path); });
}

// What PEFT 0.21 saved, against the parameters of the live model at the end.
TEST(PeftAdapterReal, ReadsAndReproducesWhatPeftSaved) {
  for (std::string name : {"sst2-lora", "stsb-lora", "lm-lora"}) {
    const std::filesystem::path golden = sharedData("golden/train/" + name);
    SKIP_WITHOUT(golden);
    PeftAdapter adapter = readPeftAdapter(golden / "adapter");
    EXPECT_EQ(adapter.config.r, 8);
    EXPECT_EQ(adapter.config.alpha, 16);
    EXPECT_EQ(adapter.config.scalingOf("model.layers.0.mlp.up_proj"), 2);
    EXPECT_EQ(std::get<0>(adapter.config.targetModules).size(), 7u);
    bool head = adapter.config.taskType == "SEQ_CLS";
    EXPECT_EQ(adapter.tensors.size(), head ? 29u : 28u);
    EXPECT_EQ(adapter.tensors.count("score.weight"), head ? 1u : 0u);

    AdapterTensors final = readPyTorchParameters(golden / "final.safetensors");
    AdapterTensors init = readPyTorchParameters(golden / "init.safetensors");
    ASSERT_EQ(final.size(), adapter.tensors.size());
    for (const auto &[key, want] : final) {
      EXPECT_EQ(adapter.tensors.at(key).data, want.data) << key;
      EXPECT_EQ(init.at(key).shape, want.shape) << key;
      if (key.ends_with("lora_B.weight")) { // starts at zero
        EXPECT_EQ(init.at(key).data, std::vector<float>(want.data.size()));
      }
    }

    TemporaryDirectory dir;
    writePeftAdapter(dir.path, adapter);
    EXPECT_EQ(readAll(dir / kAdapterWeightsFile),
              readAll(golden / "adapter" / kAdapterWeightsFile));
  }
}

// Sliced rows, ranks of 0 included: ours have the same bytes.
TEST(PeftAdapterReal, ReadsAndReproducesAdaLora) {
  for (auto golden : {sharedData("golden/train/sst2-adalora"),
                      std::filesystem::path(LLAMAC_SOURCE_DIR) /
                          "test/golden/train/sst2-adalora"}) {
    if (!std::filesystem::exists(golden))
      continue;
    SCOPED_TRACE(golden.string());
    PeftAdapter adapter = readPeftAdapter(golden / "adapter");
    ASSERT_TRUE(adapter.config.adalora.kept);
    EXPECT_EQ(adapter.config.adalora.kept->size(), 14u);
    EXPECT_EQ(adapter.tensors.size(), 43u);
    EXPECT_EQ(
        adapter.tensors.at("model.layers.1.self_attn.q_proj.lora_A").shape[0],
        0u);
    // From the live model's full tensors at the end, less the masked rows.
    AdapterTensors final = readPyTorchParameters(golden / "final.safetensors");
    removeMasked(final, *adapter.config.adalora.kept);
    ASSERT_EQ(final.size(), adapter.tensors.size());
    for (const auto &[key, want] : final) {
      EXPECT_EQ(adapter.tensors.at(key).shape, want.shape) << key;
      EXPECT_EQ(adapter.tensors.at(key).data, want.data) << key;
    }
    TemporaryDirectory dir;
    writePeftAdapter(dir.path, adapter);
    EXPECT_EQ(readAll(dir / kAdapterWeightsFile),
              readAll(golden / "adapter" / kAdapterWeightsFile));
    PeftConfig again = readPeftConfig(dir / kAdapterConfigFile);
    EXPECT_EQ(*again.adalora.kept, *adapter.config.adalora.kept);
  }
}

/// Writes an adapter of one module, init_r 3, mask [true, false, true], and
/// expects it to be refused.
void refusesAdaLora(const std::vector<std::pair<std::string, Shape>> &tensors,
                    std::vector<std::string> parts) {
  TemporaryDirectory dir;
  writeAll(dir / kAdapterConfigFile,
           R"({"peft_type": "ADALORA", "total_step": 9, "init_r": 3,
               "rank_pattern": {"m.lora_E": [true, false, true]}})");
  std::vector<std::byte> zeros(4096);
  std::vector<TensorView> views;
  for (const auto &[name, shape] : tensors) {
    size_t bytes = 4;
    for (uint64_t extent : shape)
      bytes *= extent;
    views.push_back(
        {toPeftName(name), DType::F32, shape, std::span(zeros).first(bytes)});
  }
  writeSafetensors(dir / kAdapterWeightsFile, views);
  parts.push_back((dir / kAdapterWeightsFile).string());
  expectError(ExitCode::BadInput, parts, [&] { readPeftAdapter(dir.path); });
}

TEST(PeftAdapter, RefusesAdaLoraThatIsNotItsRankPattern) {
  std::pair<std::string, Shape> a{"m.lora_A", {2, 4}}, e{"m.lora_E", {2, 1}},
      b{"m.lora_B", {6, 2}};
  refusesAdaLora({a, b}, {"m.lora_A", "no partner", "m.lora_E"});
  refusesAdaLora({a, e}, {"no partner", "m.lora_B"});
  refusesAdaLora({{"m.lora_A", {3, 4}}, e, b},
                 {"m.lora_A", "[3, 4]", "expected [2, in]"});
  refusesAdaLora({a, {"m.lora_E", {3, 1}}, b},
                 {"m.lora_E", "[3, 1]", "expected [2, 1]"});
  refusesAdaLora({a, {"m.lora_E", {2, 2}}, b}, {"m.lora_E", "[2, 2]"});
  refusesAdaLora({a, e, {"m.lora_B", {6, 3}}},
                 {"m.lora_B", "[6, 3]", "expected [out, 2]"});
  refusesAdaLora(
      {{"n.lora_A", {3, 4}}, {"n.lora_E", {3, 1}}, {"n.lora_B", {6, 3}}},
      {"m.lora_E' is missing", "rank_pattern"});
  refusesAdaLora({a, e, b, {kA, {3, 4}}},
                 {kA, "neither an AdaLoRA factor nor the score head"});
}

} // namespace
} // namespace llamarun
