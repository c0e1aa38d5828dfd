#include "runtime/train/SettingsAgreement.h"

#include "runtime/io/Safetensors.h"
#include "test/runtime/train/ThreadRanks.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <array>

namespace llamarun {
namespace {

/// What four ranks of a ddp2,tp2 plan that were told this end with.
void agree(const std::array<Settings, 4> &told) {
  tiny::runGrid({.rows = 4, .dp = 2, .tp = 2},
                [&](Session &, const Ranks &ranks) {
                  agreeOnSettings(told[ranks.rank()], ranks);
                });
}

TEST(SettingsAgreement, TheSameIsAgreedOn) {
  Settings one{{"--seed", "42"}, {"--learning-rate", "0.001"}};
  EXPECT_NO_THROW(agree({one, one, one, one}));
  EXPECT_NO_THROW(agree({}));
  EXPECT_NO_THROW(agreeOnSettings(one, Ranks()));
}

TEST(SettingsAgreement, NamesEverySettingItsValuesAndWhoseTheyAre) {
  Settings one{{"--seed", "42"}, {"--epochs", "3"}, {"--no-shuffle", "true"}};
  Settings two{{"--seed", "43"}, {"--epochs", "3"}};
  expectFailure(ExitCode::Usage,
                {"not told the same",
                 "--no-shuffle is true on ranks 0, 2, 3; not given on rank 1",
                 "--seed is 42 on ranks 0, 2, 3; 43 on rank 1"},
                [&] {
                  agree({one, two, one, one});
                });
}

TEST(SettingsAgreement, NamesAndValuesDoNotRunTogether) {
  expectFailure(ExitCode::Usage, {"--a is bc on rank 0", "--ab is not given"},
                [&] {
                  agree({Settings{{"--a", "bc"}}, Settings{{"--ab", "c"}},
                         Settings{{"--ab", "c"}}, Settings{{"--ab", "c"}}});
                });
}

TEST(SettingsAgreement, DataIsItsTokensAndLabels) {
  Dataset data;
  data.name = "train";
  data.sequences = {{1, 2}, {3}};
  data.labels = {0, 1};
  auto of = [](const Dataset &d) {
    return fingerprintsOf({d}).at("--data (train)");
  };
  auto text = of(data);
  EXPECT_TRUE(text.starts_with("2 examples with hash ")) << text;
  Dataset moved = data, other = data, label = data, elsewhere = data;
  moved.sequences = {{1}, {2, 3}};
  other.sequences[1][0] = 4;
  label.labels[0] = 1;
  elsewhere.file = "/another/host/train.tsv";
  EXPECT_NE(of(moved), text);
  EXPECT_NE(of(other), text);
  EXPECT_NE(of(label), text);
  EXPECT_EQ(of(elsewhere), text);
}

TEST(SettingsAgreement, WeightsAreTheirNamesShapesAndFirstBytes) {
  TestDirectory directory;
  auto of = [&](const char *name, std::vector<std::uint64_t> shape,
                float first) {
    std::vector<float> values{first, 2, 3, 4, 5, 6};
    writeSafetensors(directory / "model.safetensors",
                     std::vector<TensorView>{
                         {name, DType::F32, shape,
                          std::as_bytes(std::span<const float>(values))}});
    return fingerprintOf(HfCheckpoint::open(directory.path));
  };
  auto text = of("w", {2, 3}, 1);
  EXPECT_EQ(of("w", {2, 3}, 1), text);
  EXPECT_NE(of("v", {2, 3}, 1), text);
  EXPECT_NE(of("w", {3, 2}, 1), text);
  EXPECT_NE(of("w", {2, 3}, 7), text);
}

} // namespace
} // namespace llamarun
