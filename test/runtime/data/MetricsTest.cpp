#include "runtime/data/Metrics.h"

#include "test/runtime/data/MetricCases.h"
#include "test/runtime/data/TestFiles.h"

#include <cmath>

using namespace llamarun;
using namespace llamarun::test;
using nlohmann::json;

static void expectMetric(double value, const json &expected, double bound) {
  if (expected.is_null())
    EXPECT_TRUE(std::isnan(value)) << value;
  else
    EXPECT_NEAR(value, expected.get<double>(), bound);
}

// Expected values: scikit-learn and SciPy, see metric_cases.py.
TEST(Metrics, AgreeWithReferences) {
  json golden =
      readJson(std::filesystem::path(TEST_DATA_DIR) / "metrics.golden.json");
  ASSERT_EQ(golden["classes"].size(), 25u);
  for (const json &c : golden["classes"]) {
    SCOPED_TRACE(c["name"]);
    MetricCase<int32_t> m(c);
    expectMetric(accuracy(m.predictions, m.labels), c["accuracy"], 1e-12);
    expectMetric(matthewsCorrelation(m.predictions, m.labels), c["matthews"],
                 1e-12);
    if (c.contains("f1"))
      expectMetric(f1Score(m.predictions, m.labels), c["f1"], 1e-12);
  }
  ASSERT_EQ(golden["scores"].size(), 27u);
  for (const json &c : golden["scores"]) {
    SCOPED_TRACE(c["name"]);
    MetricCase<double> m(c);
    expectMetric(pearsonCorrelation(m.predictions, m.labels), c["pearson"],
                 1e-9);
    expectMetric(spearmanCorrelation(m.predictions, m.labels), c["spearman"],
                 1e-9);
  }
}

TEST(Metrics, DegenerateInputs) {
  std::vector<int32_t> zeros(4, 0), ones(4, 1), mixed = {0, 1, 0, 1};
  EXPECT_EQ(f1Score(zeros, zeros), 0);
  EXPECT_EQ(f1Score(zeros, ones), 0);
  EXPECT_EQ(matthewsCorrelation(zeros, mixed), 0);
  EXPECT_EQ(matthewsCorrelation(ones, ones), 0);
  EXPECT_TRUE(std::isnan(accuracy({}, {})));
  // 0.1 * 3 is not 0.3: the mean of a constant may differ from it.
  std::vector<double> constant(3, 0.1), rising = {1, 2, 3};
  EXPECT_TRUE(std::isnan(pearsonCorrelation(constant, rising)));
  EXPECT_TRUE(std::isnan(spearmanCorrelation(rising, constant)));
  EXPECT_TRUE(std::isnan(pearsonCorrelation({}, {})));
  std::vector<double> one = {1};
  EXPECT_TRUE(std::isnan(pearsonCorrelation(one, one)));
  std::vector<double> broken = {1, std::nan(""), 3};
  EXPECT_TRUE(std::isnan(pearsonCorrelation(broken, rising)));
  EXPECT_TRUE(std::isnan(spearmanCorrelation(broken, rising)));
  expectError(ExitCode::Usage, "3 predictions for 1 labels",
              [&] { pearsonCorrelation(rising, one); });
}

TEST(Metrics, OfEachTask) {
  std::vector<double> p = {1, 0, 1, 1}, y = {1, 0, 0, 1};
  using Expected = std::vector<std::string>;
  auto names = [&](GlueTask task) {
    Expected result;
    for (const auto &[name, value] : metricsFor(task, p, y))
      result.push_back(name);
    return result;
  };
  EXPECT_EQ(names(GlueTask::Cola), Expected{"matthews_correlation"});
  EXPECT_EQ(names(GlueTask::Stsb),
            (Expected{"pearson", "spearmanr", "combined_score"}));
  for (GlueTask task : {GlueTask::Mrpc, GlueTask::Qqp})
    EXPECT_EQ(names(task), (Expected{"accuracy", "f1", "combined_score"}));
  for (GlueTask task : {GlueTask::Sst2, GlueTask::Mnli, GlueTask::Qnli,
                        GlueTask::Rte, GlueTask::Wnli})
    EXPECT_EQ(names(task), Expected{"accuracy"});
  Metrics mrpc = metricsFor(GlueTask::Mrpc, p, y);
  EXPECT_DOUBLE_EQ(mrpc[0].second, 0.75);
  EXPECT_DOUBLE_EQ(mrpc[1].second, 0.8);
  EXPECT_DOUBLE_EQ(mrpc[2].second, 0.775);
}
