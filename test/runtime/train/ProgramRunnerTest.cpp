#include "runtime/train/ProgramRunner.h"

#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>

namespace llamarun {
namespace {

Dataset scores() {
  Dataset data;
  data.file = "data.tsv";
  data.sequences = {{1, 2, 3}, {4, 5}, {6}, {7, 8, 9, 10}};
  data.labels = {0.5f, 1.5f, std::nanf(""), 2.5f};
  return data;
}

using tiny::input;

TEST(ProgramRunner, WritesTheInputsOfDocsPlanMd) {
  auto session = tiny::openSession();
  ProgramRunner runner(*session, 1);
  Hyper hyper{1e-3, 2, 20, 0.8, 0.99, 1e-6, 0.1, 0.5};
  auto result = runner.train(scores(), {{0, 1, 2}}, hyper);
  auto &program = *session->find(fb::ProgramKind::Train, 6, 3);
  EXPECT_EQ(program.tokens(), 16u) << "not the smallest bucket";
  auto ids = input<std::int32_t>(*session, program, "input_ids");
  EXPECT_EQ((std::vector<std::int32_t>(ids.begin(), ids.begin() + 8)),
            (std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 0, 0}));
  auto positions = input<std::int32_t>(*session, program, "positions");
  EXPECT_EQ(positions[2], 2);
  EXPECT_EQ(positions[4], 1);
  EXPECT_EQ(input<std::int32_t>(*session, program, "cu_seqlens"),
            (std::vector<std::int32_t>{0, 3, 5, 6, 6}));
  auto labels = input<float>(*session, program, "labels");
  EXPECT_EQ(labels[1], 1.5f);
  EXPECT_TRUE(std::isnan(labels[2]) && std::isnan(labels[3]));
  EXPECT_EQ(input<double>(*session, program, "hyper"),
            (std::vector<double>{1e-3, 2, 20, 0.8, 0.99, 1e-6, 0.1, 0.5}));
  // Two of the three rows have labels.
  EXPECT_EQ(result.loss, 0.5);
  EXPECT_EQ(result.gradNorm, 0.5f);
  EXPECT_EQ(result.learningRate, 0.25f);
  EXPECT_EQ(result.tokens, 6u);
}

TEST(ProgramRunner, ScalesByTheLabelsOfTheWholeGroup) {
  auto session = tiny::openSession({.accumulation = 2});
  ProgramRunner runner(*session, 1);
  auto result = runner.train(scores(), {{0, 1}, {3}}, {});
  // Each of the two programs reports 1/3.
  EXPECT_FLOAT_EQ(static_cast<float>(result.loss), 2.f / 3);
  EXPECT_EQ(result.tokens, 9u);
}

TEST(ProgramRunner, CountsTheTokensThatHaveANextOne) {
  auto session = tiny::openSession(
      {.task = "lm", .head = fb::Head::CausalLM, .labels = 0});
  ProgramRunner runner(*session, 1);
  auto result = runner.train(scores(), {{0, 1, 3}}, {});
  EXPECT_FLOAT_EQ(static_cast<float>(result.loss), 1.f / 6); // 2 + 1 + 3
  EXPECT_EQ(countLabels(HeadKind::CausalLM, scores(), {0, 1, 2, 3}), 6u);
  EXPECT_EQ(countLabels(HeadKind::Regression, scores(), {0, 1, 2, 3}), 3u);
}

TEST(ProgramRunner, Evaluates) {
  auto session = tiny::openSession();
  ProgramRunner runner(*session, 1);
  auto result = runner.evaluate(scores(), {3, 0}, true);
  EXPECT_EQ(result.logits, (std::vector<float>{2.5f, 0.5f}));
  EXPECT_EQ(result.labels, 2u);
  EXPECT_EQ(result.loss, 1) << "not the sum over the rows";
  EXPECT_TRUE(std::isnan(runner.evaluate(scores(), {2}, false).loss));
}

TEST(ProgramRunner, RefusesBatchesThatDoNotSuitTheModel) {
  auto session = tiny::openSession(
      {.task = "sst2", .head = fb::Head::Classification, .labels = 2});
  ProgramRunner runner(*session, 1);
  auto refuses = [&](const std::vector<std::string> &parts, auto change) {
    Dataset data = scores();
    data.labels = {0, 1, 0, 1};
    change(data);
    expectFailure(ExitCode::BadInput, parts, [&] {
      runner.train(data, {{0, 1}}, {});
    });
    expectFailure(ExitCode::BadInput, parts, [&] {
      runner.evaluate(data, {0, 1}, true);
    });
  };
  refuses({"example 0", "token id 800", "vocabulary of 800"},
          [](Dataset &d) { d.sequences[0][1] = 800; });
  refuses({"example 1", "token id -1"},
          [](Dataset &d) { d.sequences[1][0] = -1; });
  refuses({"example 1", "label 2"}, [](Dataset &d) { d.labels[1] = 2; });
  refuses({"example 0", "9 tokens", "keeps 8"},
          [](Dataset &d) { d.sequences[0].assign(9, 1); });
}

TEST(ProgramRunner, StepsMayBeLookedAtLater) {
  auto session = tiny::openLazySession({.accumulation = 2});
  ProgramRunner runner(*session, 1);
  Dataset data = scores();
  auto first = runner.start(data, {{0, 1}, {3}}, {});
  auto second = runner.start(data, {{0, 3}}, {});
  auto result = runner.finish(first);
  EXPECT_FLOAT_EQ(static_cast<float>(result.loss), 2.f / 3);
  EXPECT_EQ(result.tokens, 9u);
  result = runner.finish(second);
  EXPECT_EQ(result.loss, 0.5);
  EXPECT_EQ(result.learningRate, 0.25f);
  EXPECT_GE(second.seconds(), 0);
}

TEST(ProgramRunner, NamesTheParameterWhoseGradientIsNotFinite) {
  tiny::Options options{.trainLoss = 1e39, .gradient = 1e39};
  auto session = tiny::openLazySession(options);
  ProgramRunner runner(*session, 1);
  expectFailure(ExitCode::Numerics,
                {"loss is inf", "the gradient of", tiny::kLoraB}, [&] {
                  runner.train(scores(), {{0, 1}}, {});
                });
}

TEST(ProgramRunner, RepeatsTheStepToFindTheParameter) {
  // The next step, already under way, has overwritten the gradients.
  tiny::Options options{.trainLoss = 1e39, .gradient = 1e39};
  auto session = tiny::openLazySession(options);
  ProgramRunner runner(*session, 1);
  Dataset data = scores();
  auto first = runner.start(data, {{0, 1}}, {});
  auto second = runner.start(data, {{0, 1}}, {});
  expectFailure(ExitCode::Numerics,
                {"loss is inf", tiny::kLoraB, "step is repeated"},
                [&] { runner.finish(first); });
  // Parameters that are lost would make every gradient bad.
  std::vector<float> lost(8, std::nanf(""));
  first = runner.start(data, {{0, 1}}, {});
  second = runner.start(data, {{0, 1}}, {});
  session->writeTensor(fb::Role::Parameter, tiny::kLoraA,
                       std::as_bytes(std::span(lost)));
  expectFailure(ExitCode::Numerics, {"loss is inf", "--debug-sync"},
                [&] { runner.finish(first); });
}

TEST(ProgramRunner, RanksRunWhatIsDealtToThem) {
  tiny::Options options{.rows = 4, .dp = 2, .tp = 2};
  tiny::runGrid(options, [](Session &session, const Ranks &ranks) {
    Dataset data = scores();
    ProgramRunner runner(session, 7, ranks);
    // dp 0 gets one sentence, dp 1 three of which one has no label.
    StepPlan step = {MicroBatch({3}, 0), MicroBatch({0, 1, 2}, 1)};
    auto result = runner.train(data, step, {});
    // 1 / all labels, not the mean of means.
    EXPECT_FLOAT_EQ(static_cast<float>(result.loss), 1.f / 3);
    EXPECT_EQ(result.tokens, 10u);
    bool dp0 = ranks.dataRank() == 0;
    EXPECT_EQ(result.ownTokens, dp0 ? 4u : 6u);
    auto &program = *session.find(fb::ProgramKind::Train, 6, 3);
    EXPECT_EQ(input<std::int32_t>(session, program, "cu_seqlens"),
              dp0 ? (std::vector<std::int32_t>{0, 4, 4, 4, 4})
                  : (std::vector<std::int32_t>{0, 3, 5, 6, 6}));
    // Dropout's counter is the place in the global batch.
    EXPECT_EQ(input<std::int64_t>(session, program, "random"),
              (std::vector<std::int64_t>{7, dp0 ? 0 : 1}));
    EXPECT_EQ(input<std::int32_t>(session, program, "grid_index"),
              (std::vector<std::int32_t>{
                  dp0 ? 0 : 1, static_cast<std::int32_t>(ranks.rank() % 2)}));
    // And goes on where all ranks together are.
    runner.train(data, {MicroBatch({0}, 0), MicroBatch({1}, 1)}, {});
    EXPECT_EQ(input<std::int64_t>(session, program, "random")[1], dp0 ? 2 : 3);
    // A step that a resumed run has done counts as if it were taken.
    runner.skip({MicroBatch({0}, 0), MicroBatch({1}, 1)});
    runner.train(data, {MicroBatch({0}, 0), MicroBatch({1}, 1)}, {});
    EXPECT_EQ(input<std::int64_t>(session, program, "random")[1], dp0 ? 6 : 7);
  });
}

TEST(ProgramRunner, ARankWithoutExamplesRunsAnEmptyBatch) {
  tiny::runGrid({.dp = 2}, [](Session &session, const Ranks &ranks) {
    ProgramRunner runner(session, 1, ranks);
    auto result = runner.train(scores(), {MicroBatch({0, 1}, 0)}, {});
    EXPECT_EQ(result.loss, 0.5);
    if (ranks.dataRank() == 0)
      return;
    auto &program = *session.find(fb::ProgramKind::Train, 0, 0);
    EXPECT_EQ(program.tokens(), 16u) << "not the smallest program";
    EXPECT_EQ(input<std::int32_t>(session, program, "cu_seqlens"),
              std::vector<std::int32_t>(5, 0));
    for (float score : input<float>(session, program, "labels"))
      EXPECT_TRUE(std::isnan(score));
  });
}

TEST(ProgramRunner, SharesOfEarlierMicroBatchesAreTold) {
  tiny::Options options{.accumulation = 2, .dp = 2};
  tiny::runGrid(options, [](Session &session, const Ranks &ranks) {
    ProgramRunner runner(session, 1, ranks);
    StepPlan step = {MicroBatch({0}, 0), MicroBatch({1}, 1),
                     MicroBatch({3}, 0)};
    auto result = runner.train(scores(), step, {});
    EXPECT_FLOAT_EQ(static_cast<float>(result.loss), 1.f / 3);
    EXPECT_FLOAT_EQ(static_cast<float>(result.share),
                    ranks.dataRank() == 0 ? 1.f / 3 : 0);
  });
}

TEST(ProgramRunner, AllRanksFailTogetherAndAlike) {
  tiny::Options options{.trainLoss = 1e39, .gradient = 1e39, .dp = 2};
  tiny::runGrid(options, [](Session &session, const Ranks &ranks) {
    ProgramRunner runner(session, 1, ranks);
    expectFailure(ExitCode::Numerics, {"loss is inf", tiny::kLoraB},
                  [&] { runner.train(scores(), {MicroBatch({0}, 0)}, {}); });
  });
}

TEST(ProgramRunner, RefusesLossesThatAreNotFinite) {
  auto session = tiny::openSession({.trainLoss = 1e39});
  ProgramRunner runner(*session, 1);
  expectFailure(ExitCode::Numerics, {"loss is inf"}, [&] {
    runner.train(scores(), {{0, 1}}, {});
  });
}

} // namespace
} // namespace llamarun
