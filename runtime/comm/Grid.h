//===- Grid.h - Ranks as points of a plan's grid ---------------*- C++ -*-===//
#pragma once

#include "runtime/plan/Plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace llamarun {

/// The devices of a plan: axes as in Plan.grid ("dp", "tp"), ranks in row-major
/// order, so that the last axis varies fastest and tensor-parallel ranks are
/// neighbours.
class Grid {
public:
  explicit Grid(const Plan &plan);
  /// Axis sizes, for tests.
  explicit Grid(std::vector<unsigned> sizes,
                std::vector<std::string> names = {});

  std::size_t axes() const { return sizes.size(); }
  unsigned size(std::size_t axis) const { return sizes[axis]; }
  const std::string &name(std::size_t axis) const { return names[axis]; }
  /// The axis of that name; axes() if there is none.
  std::size_t find(std::string_view name) const;
  unsigned devices() const;

  /// Index of `rank` along every axis.
  std::vector<unsigned> coordinates(unsigned rank) const;
  /// The ranks that differ from `rank` along `axes` only, itself included, in
  /// ascending order: who takes part in a collective over those axes.
  std::vector<unsigned> group(unsigned rank,
                              std::span<const std::uint8_t> axes) const;
  /// Index of `rank` along `axes` together, the last of them fastest: which of
  /// the parts of a dimension that these axes split it holds.
  unsigned part(unsigned rank, std::span<const std::uint8_t> axes) const;

private:
  std::vector<unsigned> sizes;
  std::vector<std::string> names;
};

} // namespace llamarun
