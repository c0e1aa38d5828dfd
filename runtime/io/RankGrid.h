//===- RankGrid.h - Ranks of an adapter by layer and projection -*- C++ -*-===//
#pragma once

#include "runtime/io/PeftAdapter.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// The rank of every adapted matrix. Columns are projections in the order of a
/// Llama layer (q k v o gate up down), others after them by name; those that no
/// layer adapts are left out. Rows are layers from 0 to the last adapted one.
struct RankGrid {
  std::vector<std::string> columns; ///< "q_proj", ...
  /// [layer][column]; nothing: not adapted.
  std::vector<std::vector<std::optional<std::uint32_t>>> rows;
  /// Modules outside of layers, by name.
  std::vector<std::pair<std::string, std::uint32_t>> others;

  /// From modules ("model.layers.3.mlp.up_proj") and their ranks.
  static RankGrid
  of(const std::vector<std::pair<std::string, std::uint32_t>> &ranks);

  std::uint64_t total() const;
  std::uint64_t matrices() const;
  std::uint32_t largest() const;
  /// {"q_proj": [6, 5], "o_proj": [null, 2]}: by column, then layer.
  std::string json() const;
};

/// The ranks that the files of a LoRA or AdaLoRA directory have, by module.
std::vector<std::pair<std::string, std::uint32_t>>
ranksOf(const MappedAdapter &adapter);

} // namespace llamarun
