//===- RowwiseMerge.h - Two rowwise ops as one -----------------*- C++ -*-===//
#pragma once

#include "dialects/llm/LlmDialect.h"

namespace llamac {

/// Merges `producer` into `consumer`, which reads some of its results at the
/// very elements it writes; builds the merged op in the consumer's place and
/// erases both. Returns null, and changes nothing, if they do not meet in such
/// a value or the order of other uses forbids it.
llm::RowwiseOp mergeRowwise(llm::RowwiseOp producer, llm::RowwiseOp consumer);

} // namespace llamac
