#include "runtime/train/TaskData.h"

#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>

namespace llamarun {
namespace {

const tiny::Options kSst2{.task = "sst2",
                          .head = fb::Head::Classification,
                          .labels = 2,
                          .maxLength = 64};
const tiny::Options kLm{
    .task = "lm", .head = fb::Head::CausalLM, .labels = 0, .maxLength = 64};

TEST(CutPadding, LeavesWhatTheReferencePoolsAt) {
  std::vector<std::int32_t> ids{0, 5, 0, 6, 0, 0}, all{0, 0, 0};
  cutPadding(ids, 0);
  EXPECT_EQ(ids, (std::vector<std::int32_t>{0, 5, 0, 6}));
  cutPadding(all, 0);
  EXPECT_EQ(all, std::vector<std::int32_t>{0});
}

TEST(PadToken, IsReadFromTheConfig) {
  TestDirectory directory;
  directory.write("config.json", R"({"pad_token_id": 7})");
  EXPECT_EQ(padTokenOf(directory.path), 7);
  for (const char *none :
       {R"({"pad_token_id": null})", R"({"pad_token_id": -1})", "{}"}) {
    directory.write("config.json", none);
    EXPECT_FALSE(padTokenOf(directory.path)) << none;
  }
}

TEST(TaskData, TokenizesTheSameWithAnyNumberOfThreads) {
  TestDirectory directory;
  std::string rows = "sentence\tlabel\n";
  for (int i = 0; i < 50; ++i)
    rows += std::string("a gentle film ") + std::string(i % 7, 'x') + " .\t" +
            std::to_string(i % 2) + "\n";
  directory.write("SST-2/train.tsv", rows);
  auto tokenizer = Tokenizer::load(demoModel());
  Dataset one = TaskData(tiny::makePlan(kSst2), demoModel(), directory.path, 1)
                    .load(Split::Train);
  Dataset three =
      TaskData(tiny::makePlan(kSst2), demoModel(), directory.path, 3)
          .load(Split::Train);
  ASSERT_EQ(one.size(), 50u);
  EXPECT_EQ(one.sequences, three.sequences);
  EXPECT_EQ(one.name, "train");
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(
        one.sequences[i],
        tokenizer->encode("a gentle film " + std::string(i % 7, 'x') + " ."));
    EXPECT_EQ(one.labels[i], static_cast<float>(i % 2));
  }
  EXPECT_EQ(TaskData(tiny::makePlan(kSst2), demoModel(), directory.path, 3)
                .load(Split::Train, 7)
                .size(),
            7u);
}

TEST(TaskData, CutsToThePlansLength) {
  TestDirectory directory;
  directory.write("train.tsv", "sentence\tlabel\nthe film is not at all a "
                               "gentle and moving story\t1\n");
  auto options = kSst2;
  options.maxLength = 5;
  TaskData task(tiny::makePlan(options), demoModel(), directory.path, 1);
  EXPECT_EQ(task.load(Split::Train).sequences[0].size(), 5u);
}

TEST(TaskData, TextFilesForCausalLM) {
  TestDirectory directory;
  auto file = directory.write("poem.txt", "the film\n\n  \na moving story\n");
  TaskData task(tiny::makePlan(kLm), demoModel(), file, 2);
  EXPECT_TRUE(task.evaluationSplits().empty());
  Dataset data = task.load(Split::Train);
  EXPECT_EQ(data.size(), 2u);
  EXPECT_EQ(data.name, "poem");
  directory.write("dev.txt", "one line\n");
  TaskData folder(tiny::makePlan(kLm), demoModel(), directory.path, 2);
  EXPECT_EQ(folder.load(Split::Dev).size(), 1u);
  EXPECT_EQ(folder.evaluationSplits(), std::vector{Split::Dev});
  EXPECT_FALSE(folder.glue());
}

TEST(TaskData, KnowsTheSplitsOfATask) {
  TaskData sst2(tiny::makePlan(kSst2), demoModel(), "/nowhere", 1);
  EXPECT_EQ(sst2.evaluationSplits(), std::vector{Split::Dev});
  EXPECT_EQ(sst2.testSplits(), std::vector{Split::Test});
  auto options = kSst2;
  options.task = "mnli";
  options.labels = 3;
  TaskData mnli(tiny::makePlan(options), demoModel(), "/nowhere", 1);
  EXPECT_EQ(mnli.evaluationSplits(),
            (std::vector{Split::Dev, Split::DevMismatched}));
  EXPECT_EQ(mnli.testSplits(),
            (std::vector{Split::Test, Split::TestMismatched}));
}

TEST(TaskData, RefusesWhatDoesNotSuit) {
  TestDirectory directory;
  auto options = kSst2;
  options.labels = 3;
  expectFailure(ExitCode::BadInput, {"3 outputs", "sst2"}, [&] {
    TaskData(tiny::makePlan(options), demoModel(), directory.path, 1);
  });
  options.task = "poetry";
  expectFailure(ExitCode::BadInput, {"poetry"}, [&] {
    TaskData(tiny::makePlan(options), demoModel(), directory.path, 1);
  });
  // The error of the first bad row, with its line, whatever thread finds it.
  std::string rows = "sentence\tlabel\n";
  for (int i = 0; i < 40; ++i)
    rows += "fine\t1\n";
  directory.write("train.tsv", rows + "fine\t5\n");
  TaskData task(tiny::makePlan(kSst2), demoModel(), directory.path, 4);
  expectFailure(ExitCode::BadInput, {"train.tsv:42"},
                [&] { task.load(Split::Train); });
}

} // namespace
} // namespace llamarun
