#include "runtime/data/Metrics.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace llamarun {

static void checkLengths(size_t predictions, size_t labels) {
  if (predictions != labels)
    fail(ExitCode::Usage, predictions, " predictions for ", labels, " labels");
}

double accuracy(std::span<const int32_t> predictions,
                std::span<const int32_t> labels) {
  checkLengths(predictions.size(), labels.size());
  if (labels.empty())
    return std::nan("");
  size_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i)
    right += predictions[i] == labels[i];
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

double f1Score(std::span<const int32_t> predictions,
               std::span<const int32_t> labels) {
  checkLengths(predictions.size(), labels.size());
  double both = 0, either = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    both += 2.0 * (predictions[i] == 1 && labels[i] == 1);
    either += (predictions[i] == 1) + (labels[i] == 1);
  }
  return either == 0 ? 0 : both / either;
}

double matthewsCorrelation(std::span<const int32_t> predictions,
                           std::span<const int32_t> labels) {
  checkLengths(predictions.size(), labels.size());
  // Gorodkin's form for several classes, as scikit-learn's; with two it is the
  // usual one. Counts are exact in double up to 2^53.
  std::map<int32_t, std::pair<double, double>> counts; // predicted, labelled
  double right = 0, n = static_cast<double>(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    right += predictions[i] == labels[i];
    counts[predictions[i]].first += 1;
    counts[labels[i]].second += 1;
  }
  double cross = 0, predicted = 0, labelled = 0;
  for (const auto &[label, count] : counts) {
    cross += count.first * count.second;
    predicted += count.first * count.first;
    labelled += count.second * count.second;
  }
  double predictedSpread = n * n - predicted, labelledSpread = n * n - labelled;
  if (predictedSpread == 0 || labelledSpread == 0)
    return 0;
  return (right * n - cross) /
         (std::sqrt(predictedSpread) * std::sqrt(labelledSpread));
}

static bool isConstant(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(),
                     [&](double value) { return value == values[0]; });
}

double pearsonCorrelation(std::span<const double> predictions,
                          std::span<const double> labels) {
  checkLengths(predictions.size(), labels.size());
  size_t n = labels.size();
  // Rounding of the mean would make a constant side look like a spread.
  if (n < 2 || isConstant(predictions) || isConstant(labels))
    return std::nan("");
  auto mean = [n](std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) /
           static_cast<double>(n);
  };
  double meanX = mean(predictions), meanY = mean(labels);
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < n; ++i) {
    double x = predictions[i] - meanX, y = labels[i] - meanY;
    xx += x * x;
    yy += y * y;
    xy += x * y;
  }
  // std::clamp keeps NaN.
  return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

/// Ranks from 1, equal values sharing the mean of theirs.
static std::vector<double> averageRanks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(),
            [&](size_t l, size_t r) { return values[l] < values[r]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i + 1;
    while (end < order.size() && values[order[end]] == values[order[i]])
      ++end;
    for (size_t k = i; k < end; ++k)
      ranks[order[k]] = (static_cast<double>(i + 1 + end)) / 2;
    i = end;
  }
  return ranks;
}

double spearmanCorrelation(std::span<const double> predictions,
                           std::span<const double> labels) {
  checkLengths(predictions.size(), labels.size());
  auto isNaN = [](double value) { return std::isnan(value); };
  // NaN has no rank, and would break the order that sorting relies on.
  if (std::any_of(predictions.begin(), predictions.end(), isNaN) ||
      std::any_of(labels.begin(), labels.end(), isNaN))
    return std::nan("");
  return pearsonCorrelation(averageRanks(predictions), averageRanks(labels));
}

/// Class ids from their double form; -1 for anything else.
static std::vector<int32_t> classIds(std::span<const double> values) {
  std::vector<int32_t> ids;
  ids.reserve(values.size());
  for (double value : values)
    ids.push_back(value >= 0 && value < 65536 ? static_cast<int32_t>(value)
                                              : -1);
  return ids;
}

Metrics metricsFor(GlueTask task, std::span<const double> predictions,
                   std::span<const double> labels) {
  const GlueTaskInfo &info = glueTask(task);
  Metrics metrics;
  for (std::string_view name : info.metrics) {
    double value;
    if (name == "pearson")
      value = pearsonCorrelation(predictions, labels);
    else if (name == "spearmanr")
      value = spearmanCorrelation(predictions, labels);
    else {
      std::vector<int32_t> p = classIds(predictions), l = classIds(labels);
      value = name == "accuracy" ? accuracy(p, l)
              : name == "f1"     ? f1Score(p, l)
                                 : matthewsCorrelation(p, l);
    }
    metrics.emplace_back(name, value);
  }
  if (metrics.size() > 1) {
    double sum = 0;
    for (const auto &[name, value] : metrics)
      sum += value;
    metrics.emplace_back("combined_score",
                         sum / static_cast<double>(metrics.size()));
  }
  return metrics;
}

} // namespace llamarun
