//===- EvaluationReport.h - How results are told ---------------*- C++ -*-===//
#pragma once

#include "runtime/train/Evaluate.h"
#include "runtime/train/MetricsLog.h"

#include <cstdio>
#include <string_view>

namespace llamarun {

/// Prints "<task> <split> <metric> = <value>" for each metric, six significant
/// digits; "nan" where a correlation is undefined, with a warning to `errors`.
void printEvaluation(std::FILE *out, std::string_view task,
                     const Evaluation &evaluation, std::FILE *errors = stderr);

/// Adds "split", "eval_<metric>", "eval_samples", and of the clock "seconds"
/// and "samples_per_second".
void addEvaluation(JsonLine &line, const Evaluation &evaluation);

} // namespace llamarun
