//===- Dataset.h - Tokenized examples --------------------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace llamarun {

/// Examples ready to be packed.
struct Dataset {
  std::string name; ///< "dev_matched": stands in messages and metric lines
  std::string file; ///< where it is from
  std::vector<std::vector<std::int32_t>> sequences; ///< token ids, none empty
  /// One a sequence: class id or score, NaN for none. Unused for causal LM.
  std::vector<float> labels;

  std::size_t size() const { return sequences.size(); }
};

} // namespace llamarun
