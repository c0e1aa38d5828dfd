//===- PrintMetrics.cpp - Metrics of cases that others make up ------------===//
//
// llamarun_print_metrics < cases.json: reads {"classes": [case, ...],
// "scores": [case, ...]} (metric_cases.py) and writes the same lists with what
// runtime/data/Metrics.h makes of each, null for NaN. For compare_metrics.py.
//
//===----------------------------------------------------------------------===//

#include "test/runtime/data/MetricCases.h"

#include <iostream>

int main() {
  using namespace llamarun;
  using namespace llamarun::test;
  using nlohmann::json;
  try {
    json cases = json::parse(std::cin);
    json out = {{"classes", json::array()}, {"scores", json::array()}};
    for (const json &c : cases.at("classes")) {
      MetricCase<int32_t> m(c);
      out["classes"].push_back(
          {{"accuracy", accuracy(m.predictions, m.labels)},
           {"f1", f1Score(m.predictions, m.labels)},
           {"matthews", matthewsCorrelation(m.predictions, m.labels)}});
    }
    for (const json &c : cases.at("scores")) {
      MetricCase<double> m(c);
      out["scores"].push_back(
          {{"pearson", pearsonCorrelation(m.predictions, m.labels)},
           {"spearman", spearmanCorrelation(m.predictions, m.labels)}});
    }
    std::cout << out.dump() << "\n";
  } catch (const std::exception &error) {
    std::cerr << "print_metrics: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
