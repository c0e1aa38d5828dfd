//===- gpu_rowwise_reference.h - Row kernels in plain C++ ------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace llamarun::bench {

/// Element `i` of an input, as the kernel reads it.
using Input = std::function<double(std::uint64_t i)>;

/// One row of work for a reference: double arithmetic, rounded to the type of
/// the results where the kernel's source rounds, too.
struct RowCase {
  std::uint64_t row = 0, rows = 0, cols = 0;
  unsigned times = 1; ///< launches, where results overwrite inputs
  bool bf16 = false;
  std::vector<Input> in;
};

/// Elements of one result that a row of work writes.
struct RowResult {
  std::uint64_t first = 0; ///< in the result
  std::vector<double> values;
  /// What was added to get them, where that may cancel out; empty: the values.
  std::vector<double> sizes{};
};

using Reference = std::vector<RowResult> (*)(const RowCase &);

/// By the name in bench/kernels/gpu_rowwise.py; null if there is none.
Reference findReference(const std::string &name);

double roundToBf16(double value);

} // namespace llamarun::bench
