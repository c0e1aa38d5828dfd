//===- ForwardCheck.h - Logits of every position, compared -----*- C++ -*-===//
#pragma once

#include "runtime/train/ProgramRunner.h"

#include <cstdio>
#include <filesystem>

namespace llamarun {

/// Compares a causal-LM plan with reference logits: the logits at a position
/// are those of the last token of the prefix that ends there. Reads either
///   {"rows": [{"input_ids": [...], "positions": [P...]}...]}  or
///   {"positions": [P with "in": id ...]}  (one row, every position)
/// with P = {"pos", "argmax", "max_logit", "logsumexp", "logits_0_7"}.
/// Rank 0 prints a summary. Errors are absolute below 1 and relative above.
/// \returns the largest error; infinity if an argmax differs.
/// \throws Error(BadInput).
double checkForward(ProgramRunner &runner, const std::filesystem::path &file,
                    std::FILE *out);

} // namespace llamarun
