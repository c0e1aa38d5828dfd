#include "runtime/data/Glue.h"

#include "test/runtime/data/TestFiles.h"

#include <cmath>

using namespace llamarun;
using namespace llamarun::test;

namespace {

class Glue : public testing::Test {
protected:
  /// Writes `text` as `name` ("SST-2/train.tsv") and reads it.
  GlueData read(const std::string &name, std::string_view text, GlueTask task,
                Split split = Split::Train) {
    folder.write(name, text);
    return readGlue(folder.path, task, split);
  }
  void refuse(const std::string &name, std::string_view text, GlueTask task,
              std::string_view part, Split split = Split::Train,
              ExitCode code = ExitCode::BadInput) {
    SCOPED_TRACE(testing::Message() << "for: " << part);
    auto file = folder.write(name, text);
    expectError(code, part, [&] { readGlue(folder.path, task, split); });
    expectError(code, file.string() + ":",
                [&] { readGlue(folder.path, task, split); });
  }
  TemporaryFolder folder;
};

void expectExample(const Example &e, std::string_view a, std::string_view b,
                   float label, int line) {
  EXPECT_EQ(e.a, a);
  EXPECT_EQ(e.b, b);
  EXPECT_EQ(e.hasPair, !b.empty());
  EXPECT_EQ(e.line, line);
  EXPECT_TRUE(e.label == label || (std::isnan(e.label) && std::isnan(label)))
      << e.label << " " << label;
}

const float kNone = std::nanf("");

} // namespace

TEST_F(Glue, ReadsSst2) {
  // Quotes are text, trailing spaces stay.
  GlueData data =
      read("SST-2/train.tsv",
           "sentence\tlabel\n\"good , he said \t1\nbad \t0\n", GlueTask::Sst2);
  ASSERT_EQ(data.examples.size(), 2u);
  expectExample(data.examples[0], "\"good , he said ", "", 1, 2);
  expectExample(data.examples[1], "bad ", "", 0, 3);
  data = read("SST-2/test.tsv", "index\tsentence\n0\tgood .\n", GlueTask::Sst2,
              Split::Test);
  expectExample(data.examples.at(0), "good .", "", kNone, 2);
}

TEST_F(Glue, ReadsColaWithoutHeader) {
  GlueData data =
      read("CoLA/dev.tsv", "gj04\t1\t\tThey sang.\ngj04\t0\t*\tSang",
           GlueTask::Cola, Split::Dev);
  ASSERT_EQ(data.examples.size(), 2u);
  expectExample(data.examples[0], "They sang.", "", 1, 1);
  expectExample(data.examples[1], "Sang", "", 0, 2);
  data = read("CoLA/test.tsv", "index\tsentence\n0\tBill left.\n",
              GlueTask::Cola, Split::Test);
  expectExample(data.examples.at(0), "Bill left.", "", kNone, 2);
}

TEST_F(Glue, ReadsMrpcWithByteOrderMarkAndCrLf) {
  GlueData data = read("MRPC/train.tsv",
                       "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"
                       "\r\n1\t7\t8\tOne .\tTwo .\r\n",
                       GlueTask::Mrpc);
  ASSERT_EQ(data.examples.size(), 1u);
  expectExample(data.examples[0], "One .", "Two .", 1, 2);
  data = read("MRPC/test.tsv",
              "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t7\t8\tA\tB\n",
              GlueTask::Mrpc, Split::Test);
  expectExample(data.examples.at(0), "A", "B", kNone, 2);
}

TEST_F(Glue, ReadsStsbScores) {
  const std::string header =
      "index\tgenre\tfilename\tyear\told_index\tsource1\t"
      "source2\tsentence1\tsentence2\tscore\n";
  const std::string row = "0\tg\tf\ty\to\ts\ts\tA.\tB.\t";
  GlueData data = read("STS-B/train.tsv",
                       header + row + "3.800\n" + row + "5\n", GlueTask::Stsb);
  ASSERT_EQ(data.examples.size(), 2u);
  expectExample(data.examples[0], "A.", "B.", 3.8f, 2);
  expectExample(data.examples[1], "A.", "B.", 5, 3);
  for (const char *bad : {"", "x", "5.1", "-1", "nan", "inf", "3.8 ", "1e99"})
    refuse("STS-B/train.tsv", header + row + bad + "\n", GlueTask::Stsb,
           std::string(":2: label '") + bad + "' is not a number from 0 to 5");
}

TEST_F(Glue, DropsShortRowsOfQqpButNotOfItsTest) {
  const std::string header =
      "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
      "\n";
  GlueData data =
      read("QQP/train.tsv",
           header + "1\t1\t2\tA?\tB?\t1\n2\t1\t2\tbroken\n\nby lines\tE?\t1\n"
                    "3\t1\t2\tC?\t\t0\n",
           GlueTask::Qqp);
  ASSERT_EQ(data.examples.size(), 2u);
  EXPECT_EQ(data.skipped, 2u);
  EXPECT_EQ(data.examples[1].a, "C?");
  EXPECT_EQ(data.examples[1].b, ""); // empty is not missing
  EXPECT_TRUE(data.examples[1].hasPair);
  EXPECT_EQ(data.examples[1].line, 6);
  const std::string test = "id\tquestion1\tquestion2\n0\tA?\tB?\n";
  data = read("QQP/test.tsv", test, GlueTask::Qqp, Split::Test);
  expectExample(data.examples.at(0), "A?", "B?", kNone, 2);
  refuse("QQP/test.tsv", test + "1\tA?\n", GlueTask::Qqp,
         ":3: 2 columns, at least 3 are needed", Split::Test);
}

TEST_F(Glue, ReadsMnliByHeader) {
  const std::string eight = "index\tpromptID\tpairID\tgenre\tp1\tp2\tp3\tp4\t";
  const std::string row = "0\t1\t2\tg\ta\tb\tc\td\tPremise.\tHypothesis.\t";
  folder.write("MNLI/train.tsv", eight +
                                     "sentence1\tsentence2\tlabel1\tgold_label"
                                     "\n" +
                                     row + "neutral\tcontradiction\n");
  // Here the gold label is column 15.
  folder.write("MNLI/dev_matched.tsv",
               eight +
                   "sentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\t"
                   "label5\tgold_label\n" +
                   row + "neutral\tn\tn\tn\tn\tentailment\n");
  folder.write("MNLI/dev_mismatched.tsv",
               eight + "sentence1\tsentence2\tgold_label\n" + row +
                   "neutral\n");
  folder.write("MNLI/test_mismatched.tsv", eight + "sentence1\tsentence2\n" +
                                               row.substr(0, row.size() - 1) +
                                               "\n");
  auto only = [&](Split split) {
    GlueData data = readGlue(folder.path, GlueTask::Mnli, split);
    EXPECT_EQ(data.examples.size(), 1u);
    return data.examples.at(0);
  };
  expectExample(only(Split::Train), "Premise.", "Hypothesis.", 2, 2);
  expectExample(only(Split::Dev), "Premise.", "Hypothesis.", 0, 2);
  expectExample(only(Split::DevMismatched), "Premise.", "Hypothesis.", 1, 2);
  expectExample(only(Split::TestMismatched), "Premise.", "Hypothesis.", kNone,
                2);
}

TEST_F(Glue, ReadsTheOtherPairTasks) {
  GlueData data =
      read("QNLI/dev.tsv",
           "index\tquestion\tsentence\tlabel\n0\tQ?\tS.\tnot_entailment\n",
           GlueTask::Qnli, Split::Dev);
  expectExample(data.examples.at(0), "Q?", "S.", 1, 2);
  data = read("RTE/train.tsv",
              "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n",
              GlueTask::Rte);
  expectExample(data.examples.at(0), "A.", "B.", 0, 2);
  data = read("WNLI/train.tsv",
              "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\t1\n",
              GlueTask::Wnli);
  expectExample(data.examples.at(0), "A.", "B.", 1, 2);
  for (const char *name : {"diagnostic/diagnostic.tsv", "AX/AX.tsv"}) {
    data = read(name, "index\tsentence1\tsentence2\n0\tA.\tB.\n", GlueTask::Ax,
                Split::Test);
    expectExample(data.examples.at(0), "A.", "B.", kNone, 2);
    EXPECT_EQ(data.file, folder.path / name);
  }
}

TEST_F(Glue, FindsTheTasksOwnFolder) {
  folder.write("mine/train.tsv", "sentence\tlabel\nfine\t1\n\n\n");
  GlueData data = readGlue(folder.path / "mine", GlueTask::Sst2, Split::Train);
  EXPECT_EQ(data.examples.size(), 1u); // blank lines at the end are no rows
  expectError(ExitCode::BadInput, "has no sst2 dev data (neither ",
              [&] { readGlue(folder.path, GlueTask::Sst2, Split::Dev); });
  expectError(ExitCode::Usage, "task rte has no split dev_mismatched", [&] {
    readGlue(folder.path, GlueTask::Rte, Split::DevMismatched);
  });
  expectError(ExitCode::Usage, "task ax has no split train",
              [&] { readGlue(folder.path, GlueTask::Ax, Split::Train); });
}

TEST_F(Glue, RefusesBadFiles) {
  const std::string file = "SST-2/train.tsv", head = "sentence\tlabel\n";
  auto sst2 = [&](std::string_view text, std::string_view part) {
    refuse(file, text, GlueTask::Sst2, part);
  };
  sst2("", ": is empty");
  sst2(head, ": holds no examples");
  sst2("text\tlabel\nfine\t1\n", ":1: the header has no column 'sentence'");
  sst2("sentence\nfine\n", ":1: the header has no column 'label'");
  sst2(head + "fine\t1\nfine\n", ":3: 1 columns, at least 2 are needed");
  sst2(head + "fine\t2\n", ":2: label '2' is not 0 or 1");
  sst2(head + "fine\t\n", ":2: label '' is not 0 or 1");
  sst2(head + "fine\tpositive\n", ":2: label 'positive' is not 0 or 1");
  sst2(head + "fine\t1\n\nfine\t1\n", ":3: blank line");
  sst2(head + std::string("fi\0ne\t1\n", 8),
       ":2: contains a NUL byte (column 3)");
  sst2(head + "fine\t1\nf\xC3(\t1\n", ":3: is not valid UTF-8 (column 2)");
  sst2(head + "fine\t1\nf\xED\xA0\x80\t1\n", ":3: is not valid UTF-8");
  sst2(head + std::string(17 << 20, 'x'), ":2: line is longer than");
  refuse("RTE/train.tsv",
         "index\tsentence1\tsentence2\tlabel\n0\tA\tB\tneutral\n",
         GlueTask::Rte, ":2: label 'neutral' is not entailment or not_");
  refuse("CoLA/train.tsv", "a\t1\tb\n", GlueTask::Cola,
         ":1: 3 columns, at least 4 are needed");
  std::filesystem::create_directories(folder.path / "WNLI/train.tsv");
  expectError(ExitCode::BadInput, "is a folder",
              [&] { readGlue(folder.path, GlueTask::Wnli, Split::Train); });
}

// A line may end exactly where a chunk of the reader does.
TEST_F(Glue, ReadsLinesAcrossChunks) {
  std::string text = "sentence\tlabel\n";
  std::vector<std::string> expected;
  for (int i = 0; text.size() < 1'000'000; ++i) {
    expected.emplace_back(i * 37 % 5000, static_cast<char>('a' + i % 26));
    text += expected.back() + "\t1\r\n";
  }
  GlueData data = read("SST-2/train.tsv", text, GlueTask::Sst2);
  ASSERT_EQ(data.examples.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_EQ(data.examples[i].a, expected[i]) << i;
}

TEST(GlueTable, HasEveryTask) {
  ASSERT_EQ(glueTasks().size(), 10u);
  for (size_t i = 0; i < glueTasks().size(); ++i) {
    const GlueTaskInfo &info = glueTasks()[i];
    EXPECT_EQ(info.task, static_cast<GlueTask>(i));
    EXPECT_EQ(findGlueTask(info.name), &info);
    EXPECT_EQ(info.labelNames.size(), info.labelTexts.size());
    EXPECT_EQ(info.isRegression, info.labelNames.empty());
    EXPECT_FALSE(info.metrics.empty());
  }
  EXPECT_EQ(findGlueTask("sst-2"), nullptr);
  EXPECT_EQ(glueTask(GlueTask::Mnli).headSize(), 3);
  EXPECT_EQ(glueTask(GlueTask::Stsb).headSize(), 1);
  EXPECT_EQ(glueTask(GlueTask::Rte).headSize(), 2);
}

// Row counts of the official distribution.
TEST(GlueShared, ReadsTheRealFiles) {
  std::filesystem::path root = sharedData() / "glue";
  SKIP_WITHOUT(root);
  struct Count {
    GlueTask task;
    size_t train, dev, test;
  };
  for (Count c : {Count{GlueTask::Sst2, 67349, 872, 1821},
                  Count{GlueTask::Rte, 2490, 277, 3000},
                  Count{GlueTask::Stsb, 5749, 1500, 1379},
                  Count{GlueTask::Mrpc, 3668, 408, 1725}}) {
    EXPECT_EQ(readGlue(root, c.task, Split::Train).examples.size(), c.train);
    EXPECT_EQ(readGlue(root, c.task, Split::Dev).examples.size(), c.dev);
    EXPECT_EQ(readGlue(root, c.task, Split::Test).examples.size(), c.test);
  }
  for (const Example &e : readGlue(root, GlueTask::Sst2, Split::Train).examples)
    ASSERT_EQ(e.a.back(), ' ') << e.line;
}
