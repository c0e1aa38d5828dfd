//===- Metrics.h - How good predictions are ---------------------*- C++ -*-===//
//
// Definitions: Hugging Face evaluate's glue metric, that is scikit-learn
// (accuracy, F1, Matthews) and SciPy (Pearson, Spearman). All functions take
// the predictions and the labels of the same rows; they throw Usage if the
// lengths differ. NaN means undefined.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/data/Glue.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// Share of rows predicted right, 0 to 1; NaN without rows.
double accuracy(std::span<const int32_t> predictions,
                std::span<const int32_t> labels);

/// 2 tp / (2 tp + fp + fn) of class 1; 0 if no row is or is predicted to be 1.
double f1Score(std::span<const int32_t> predictions,
               std::span<const int32_t> labels);

/// Matthews' correlation, -1 to 1, for any number of classes (0 to 2^16);
/// 0 if all labels or all predictions are the same.
double matthewsCorrelation(std::span<const int32_t> predictions,
                           std::span<const int32_t> labels);

/// Pearson's correlation; NaN if either side is constant, holds a NaN or has
/// less than two values.
double pearsonCorrelation(std::span<const double> predictions,
                          std::span<const double> labels);

/// Pearson's correlation of the ranks, equal values sharing the mean of theirs.
double spearmanCorrelation(std::span<const double> predictions,
                           std::span<const double> labels);

using Metrics = std::vector<std::pair<std::string, double>>;

/// The task's metrics under their names, in GlueTaskInfo.metrics' order;
/// predictions are class ids or scores. Where there are several, their mean
/// follows as "combined_score", as run_glue.py has it.
Metrics metricsFor(GlueTask task, std::span<const double> predictions,
                   std::span<const double> labels);

} // namespace llamarun
