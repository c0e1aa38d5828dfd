#include "runtime/train/LoadWeights.h"

#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

namespace llamarun {
namespace {

constexpr char kEmbedding[] = "model.embed_tokens.weight";

/// A checkpoint of [3, 4] tensors whose elements count up from `first`.
struct Source {
  std::string name;
  float first;
  DType dtype = DType::F32;
  Shape shape = {3, 4};
};

HfCheckpoint checkpoint(const TestDirectory &directory,
                        const std::vector<Source> &sources) {
  std::vector<std::vector<std::byte>> storage;
  std::vector<TensorView> views;
  for (auto &source : sources) {
    std::vector<float> values(12);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = source.first + static_cast<float>(i);
    storage.emplace_back(values.size() * bitsOf(source.dtype) / 8);
    if (isConvertibleToFloat(source.dtype))
      fromFloat(source.dtype, values, storage.back());
    views.push_back({source.name, source.dtype, source.shape, {}});
  }
  for (std::size_t i = 0; i < views.size(); ++i)
    views[i].bytes = storage[i];
  writeSafetensors(directory / "model.safetensors", views);
  return HfCheckpoint::open(directory.path);
}

void expectCounting(const std::vector<float> &values, float first) {
  ASSERT_EQ(values.size(), 12u);
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], first + static_cast<float>(i));
}

TEST(LoadWeights, ConvertsToTheDtypeOfThePlan) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64}) {
    TestDirectory directory;
    auto session = tiny::openSession();
    loadWeights(*session, checkpoint(directory, {{kEmbedding, 5, dtype}}));
    expectCounting(tiny::read<float>(*session, fb::Role::Weight, kEmbedding),
                   5);
  }
  TestDirectory directory;
  auto session = tiny::openSession({.weights = fb::DType::BF16});
  loadWeights(*session, checkpoint(directory, {{kEmbedding, 5}}));
  auto bits = tiny::read<std::uint16_t>(*session, fb::Role::Weight, kEmbedding);
  for (std::size_t i = 0; i < bits.size(); ++i)
    EXPECT_EQ(bf16ToFloat(bits[i]), 5 + static_cast<float>(i));
}

TEST(LoadWeights, ConvertsInPieces) {
  // More elements than one piece of the conversion has.
  constexpr std::uint32_t rows = 150'000;
  TestDirectory directory;
  std::vector<std::uint16_t> bits(rows * tiny::kHidden);
  for (std::size_t i = 0; i < bits.size(); ++i)
    bits[i] = static_cast<std::uint16_t>(0x3f80 + i % 31 + i / 50'000);
  std::vector<TensorView> views{{kEmbedding,
                                 DType::BF16,
                                 {rows, tiny::kHidden},
                                 std::as_bytes(std::span(bits))}};
  writeSafetensors(directory / "model.safetensors", views);
  auto session = tiny::openSession({.rows = rows});
  loadWeights(*session, HfCheckpoint::open(directory.path));
  auto values = tiny::read<float>(*session, fb::Role::Weight, kEmbedding);
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], bf16ToFloat(bits[i])) << i;
}

TEST(LoadWeights, TiedHeadIsTheEmbedding) {
  tiny::Options lm{.task = "lm", .head = fb::Head::CausalLM, .labels = 0};
  TestDirectory directory;
  auto files =
      checkpoint(directory, {{kEmbedding, 5}, {"lm_head.weight", 100}});
  auto session = tiny::openSession(lm);
  loadWeights(*session, files);
  expectCounting(
      tiny::read<float>(*session, fb::Role::Weight, "lm_head.weight"), 100);
  lm.tied = true;
  session = tiny::openSession(lm);
  loadWeights(*session, files);
  expectCounting(
      tiny::read<float>(*session, fb::Role::Weight, "lm_head.weight"), 5);
}

TEST(LoadWeights, RefusesWhatDoesNotSuit) {
  TestDirectory directory;
  auto session = tiny::openSession();
  auto load = [&](const std::vector<Source> &sources) {
    return
        [&, sources] { loadWeights(*session, checkpoint(directory, sources)); };
  };
  expectFailure(ExitCode::BadInput,
                {"model.safetensors", kEmbedding, "missing"},
                load({{"other", 0}}));
  expectFailure(ExitCode::BadInput, {kEmbedding, "[4, 3]", "[3, 4]"},
                load({{kEmbedding, 0, DType::F32, {4, 3}}}));
  expectFailure(ExitCode::BadInput, {kEmbedding, "I32"},
                load({{kEmbedding, 0, DType::I32}}));
  // Untied, the embedding is no head.
  session = tiny::openSession(
      {.task = "lm", .head = fb::Head::CausalLM, .labels = 0});
  expectFailure(ExitCode::BadInput, {"lm_head.weight", "missing"},
                load({{kEmbedding, 0}}));
}

} // namespace
} // namespace llamarun
