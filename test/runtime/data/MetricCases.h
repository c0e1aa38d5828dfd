//===- MetricCases.h - Cases of metric_cases.py -----------------*- C++ -*-===//
#pragma once

#include "runtime/data/Metrics.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <vector>

namespace llamarun::test {

/// Predictions and labels of one case: as they are, or drawn.
template <typename T> struct MetricCase {
  std::vector<T> predictions, labels;

  explicit MetricCase(const nlohmann::json &json) {
    if (!json.contains("generate")) {
      json["predictions"].get_to(predictions);
      json["labels"].get_to(labels);
      return;
    }
    const auto &spec = json["generate"];
    auto levels = spec["levels"].get<uint64_t>();
    auto right = spec["right"].get<uint64_t>();
    auto scale = spec.value("scale", uint64_t(1));
    state = spec["seed"].get<uint64_t>();
    for (auto rows = spec["rows"].get<uint64_t>(); rows > 0; --rows) {
      uint64_t label = below(levels), luck = below(10), other = below(levels);
      labels.push_back(static_cast<T>(label) / static_cast<T>(scale));
      predictions.push_back(static_cast<T>(luck < right ? label : other) /
                            static_cast<T>(scale));
    }
  }

private:
  /// SplitMix64, as Draw.below in metric_cases.py.
  uint64_t below(uint64_t n) {
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return (z ^ (z >> 31)) % n;
  }
  uint64_t state = 0;
};

} // namespace llamarun::test
