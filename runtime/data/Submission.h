//===- Submission.h - Files for the GLUE leaderboard ------------*- C++ -*-===//
#pragma once

#include "runtime/data/Glue.h"

#include <span>
#include <string>
#include <string_view>

namespace llamarun {

/// "SST-2.tsv"; MNLI has "MNLI-m.tsv" and, for the mismatched splits,
/// "MNLI-mm.tsv".
std::string_view submissionFileName(GlueTask task, Split split);

/// The text of a submission: the header "index<TAB>prediction" and a line for
/// each row of the test set, numbered from 0. Labels are words for MNLI, AX,
/// QNLI and RTE, numbers for the others; scores have three decimals and are
/// moved into [0, 5], the range of the labels. Source: the format of the
/// leaderboard as nyu-mll/jiant writes it. Throws Usage for a prediction that
/// is no label of the task and Numerics for NaN.
std::string submissionText(GlueTask task, std::span<const double> predictions);

} // namespace llamarun
