// What ranks read, draw and save of split tensors; the places are computed here
// by hand: tp halves rows of the embedding and lora_B, columns of lora_A and
// lm_head (TinyPlan.h).
#include "runtime/io/PeftAdapter.h"
#include "runtime/train/AdapterState.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/LoadWeights.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <numeric>

namespace llamarun {
namespace {

constexpr char kEmbedding[] = "model.embed_tokens.weight";
constexpr char kHead[] = "lm_head.weight";

tiny::Options lmGrid(std::uint32_t rows, fb::DType weights = fb::DType::F32) {
  return {.task = "lm",
          .head = fb::Head::CausalLM,
          .labels = 0,
          .weights = weights,
          .rows = rows,
          .dp = 2,
          .tp = 2};
}

std::vector<float> rowsOf(const std::vector<float> &whole, unsigned half) {
  auto middle = whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2);
  return half ? std::vector(middle, whole.end())
              : std::vector(whole.begin(), middle);
}

std::vector<float> columnsOf(const std::vector<float> &whole,
                             std::size_t columns, unsigned half) {
  std::vector<float> part;
  for (std::size_t i = 0; i < whole.size(); ++i)
    if ((i % columns >= columns / 2) == (half != 0))
      part.push_back(whole[i]);
  return part;
}

std::vector<float> counting(std::size_t count, float first) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// As two shards with an index, in two dtypes.
void writeCheckpoint(const TestDirectory &directory, std::uint32_t rows) {
  auto embedding = counting(rows * 4, 1), head = counting(rows * 4, 0.5);
  std::vector<std::byte> narrow(embedding.size() * 2);
  for (auto &v : embedding) // exact in bf16
    v = static_cast<float>(static_cast<int>(v) % 200);
  fromFloat(DType::BF16, embedding, narrow);
  std::vector<TensorView> first{{kEmbedding, DType::BF16, {rows, 4}, narrow}};
  std::vector<TensorView> second{
      {kHead, DType::F32, {rows, 4}, std::as_bytes(std::span(head))}};
  writeSafetensors(directory / "a.safetensors", first);
  writeSafetensors(directory / "b.safetensors", second);
  directory.write("model.safetensors.index.json",
                  std::string(R"({"weight_map": {")") + kEmbedding +
                      R"(": "a.safetensors", ")" + kHead +
                      R"(": "b.safetensors"}})");
}

TEST(Slices, OfWeightsAreReadByRowsAndColumns) {
  // Many pieces of the upload, whose borders lie inside of runs.
  for (std::uint32_t rows : {6u, 400'000u}) {
    TestDirectory directory;
    writeCheckpoint(directory, rows);
    tiny::runGrid(lmGrid(rows), [&](Session &session, const Ranks &ranks) {
      loadWeights(session, HfCheckpoint::open(directory.path), 2, ranks);
      unsigned half = ranks.rank() % 2;
      auto embedding = counting(rows * 4, 1);
      for (auto &v : embedding)
        v = static_cast<float>(static_cast<int>(v) % 200);
      EXPECT_TRUE(tiny::read<float>(session, fb::Role::Weight, kEmbedding) ==
                  rowsOf(embedding, half));
      EXPECT_TRUE(tiny::read<float>(session, fb::Role::Weight, kHead) ==
                  columnsOf(counting(rows * 4, 0.5), 4, half));
    });
  }
  TestDirectory directory;
  writeCheckpoint(directory, 6);
  tiny::runGrid(lmGrid(8), [&](Session &session, const Ranks &ranks) {
    // The whole tensor's shape counts, not the part's.
    expectFailure(ExitCode::BadInput, {kEmbedding, "[6, 4]", "[8, 4]"}, [&] {
      loadWeights(session, HfCheckpoint::open(directory.path), 2, ranks);
    });
  });
}

TEST(Slices, OfRandomWeightsAreTheSameModel) {
  for (auto dtype : {fb::DType::F32, fb::DType::BF16}) {
    tiny::runGrid(lmGrid(1000, dtype), [&](Session &session,
                                           const Ranks &ranks) {
      drawWeights(session, 9, 2, ranks);
      for (const char *name : {kEmbedding, kHead}) {
        std::vector<float> whole(4000);
        drawMatrix<float>(9, name, 0, whole);
        auto part = name == kHead ? columnsOf(whole, 4, ranks.rank() % 2)
                                  : rowsOf(whole, ranks.rank() % 2);
        if (dtype == fb::DType::F32) {
          EXPECT_EQ(tiny::read<float>(session, fb::Role::Weight, name), part);
          continue;
        }
        auto bits = tiny::read<std::uint16_t>(session, fb::Role::Weight, name);
        ASSERT_EQ(bits.size(), part.size());
        for (std::size_t i = 0; i < bits.size(); ++i)
          ASSERT_EQ(bits[i], floatToBf16(part[i])) << name << " " << i;
      }
    });
  }
}

/// The adapter that one device would have drawn.
AdapterTensors drawnAlone(std::uint64_t seed) {
  auto session = tiny::openSession({.rows = 4});
  initializeTensors(*session, seed);
  return readParameters(*session);
}

TEST(Slices, OfTheAdapterAreDrawnGatheredAndLoaded) {
  TestDirectory directory;
  auto alone = drawnAlone(5);
  tiny::Options options{.rows = 4, .dp = 2, .tp = 2};
  tiny::runGrid(options, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 5, ranks);
    EXPECT_EQ(tiny::read<float>(session, fb::Role::Parameter, tiny::kLoraA),
              columnsOf(alone.at(tiny::kLoraA).data, 4, ranks.rank() % 2));
    // B starts as zeros: give its rows a value by rank of their half.
    std::vector<float> b(4, 1.0f + static_cast<float>(ranks.rank() % 2));
    session.writeTensor(fb::Role::Parameter, tiny::kLoraB,
                        std::as_bytes(std::span(b)));
    auto all = readParameters(session, ranks);
    EXPECT_EQ(all.size(), ranks.first() ? 3u : 0u);
    saveAdapter(session, directory / "run", "base", ranks);
  });
  auto saved = readPeftAdapter(directory / "run").tensors;
  EXPECT_EQ(saved.at(tiny::kLoraA).data, alone.at(tiny::kLoraA).data);
  EXPECT_EQ(saved.at("score.weight").data, alone.at("score.weight").data);
  EXPECT_EQ(saved.at(tiny::kLoraB).shape, (Shape{4, 2}));
  EXPECT_EQ(saved.at(tiny::kLoraB).data,
            (std::vector<float>{1, 1, 1, 1, 2, 2, 2, 2}));

  tiny::runGrid(options, [&](Session &session, const Ranks &ranks) {
    loadAdapter(session, directory / "run", ranks);
    unsigned half = ranks.rank() % 2;
    auto read = [&](const char *name) {
      return tiny::read<float>(session, fb::Role::Parameter, name);
    };
    EXPECT_EQ(read(tiny::kLoraA),
              columnsOf(saved.at(tiny::kLoraA).data, 4, half));
    EXPECT_EQ(read(tiny::kLoraB), std::vector<float>(4, half ? 2 : 1));
    EXPECT_EQ(read("score.weight"), saved.at("score.weight").data);
  });
}

TEST(Slices, AFailingSaveFailsEverywhere) {
  TestDirectory directory;
  directory.write("run", "a file, not a directory");
  expectFailure(ExitCode::Storage, {"run"}, [&] {
    tiny::runGrid({.rows = 4, .dp = 2},
                  [&](Session &session, const Ranks &ranks) {
                    saveAdapter(session, directory / "run", "base", ranks);
                    ADD_FAILURE() << "rank " << ranks.rank() << " went on";
                  });
  });
}

} // namespace
} // namespace llamarun
