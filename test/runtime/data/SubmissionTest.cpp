#include "runtime/data/Submission.h"

#include "test/runtime/data/TestFiles.h"

#include <cmath>
#include <limits>

using namespace llamarun;
using namespace llamarun::test;

TEST(Submission, WritesLeaderboardLabels) {
  std::vector<double> classes = {1, 0};
  for (GlueTask task : {GlueTask::Cola, GlueTask::Sst2, GlueTask::Mrpc,
                        GlueTask::Qqp, GlueTask::Wnli})
    EXPECT_EQ(submissionText(task, classes), "index\tprediction\n0\t1\n1\t0\n");
  for (GlueTask task : {GlueTask::Qnli, GlueTask::Rte})
    EXPECT_EQ(submissionText(task, classes),
              "index\tprediction\n0\tnot_entailment\n1\tentailment\n");
  std::vector<double> three = {0, 1, 2};
  for (GlueTask task : {GlueTask::Mnli, GlueTask::Ax})
    EXPECT_EQ(submissionText(task, three),
              "index\tprediction\n0\tentailment\n1\tneutral\n2\tcontradiction"
              "\n");
  std::vector<double> scores = {2.5, -0.1, 7, 3.14159,
                                std::numeric_limits<double>::infinity()};
  EXPECT_EQ(
      submissionText(GlueTask::Stsb, scores),
      "index\tprediction\n0\t2.500\n1\t0.000\n2\t5.000\n3\t3.142\n4\t5.000\n");
}

TEST(Submission, RefusesWhatIsNoLabel) {
  for (double bad : {2.0, -1.0, 0.5, 1e300}) {
    std::vector<double> predictions = {0, bad};
    expectError(ExitCode::Usage, "prediction 1 of sst2",
                [&] { submissionText(GlueTask::Sst2, predictions); });
  }
  std::vector<double> broken = {std::nan("")};
  expectError(ExitCode::Numerics, "prediction 0 of stsb is NaN",
              [&] { submissionText(GlueTask::Stsb, broken); });
}

TEST(Submission, FileNames) {
  EXPECT_EQ(submissionFileName(GlueTask::Mnli, Split::Test), "MNLI-m.tsv");
  EXPECT_EQ(submissionFileName(GlueTask::Mnli, Split::TestMismatched),
            "MNLI-mm.tsv");
  EXPECT_EQ(submissionFileName(GlueTask::Stsb, Split::Test), "STS-B.tsv");
  EXPECT_EQ(submissionFileName(GlueTask::Cola, Split::Test), "CoLA.tsv");
  EXPECT_EQ(submissionFileName(GlueTask::Ax, Split::Test), "AX.tsv");
}
