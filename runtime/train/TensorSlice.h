//===- TensorSlice.h - The part of a tensor that one rank holds -*- C++ -*-===//
#pragma once

#include "runtime/comm/Grid.h"
#include "runtime/io/Safetensors.h"
#include "runtime/plan/Plan.h"

#include <algorithm>
#include <cstdint>

namespace llamarun {

/// A box of a row-major tensor. A rank's tensors are boxes of the plan's: each
/// dimension is cut into as many equal parts as the grid axes that split it
/// have devices together, and the rank holds the part of its place there.
struct TensorSlice {
  Shape whole; ///< extents of the whole tensor
  Shape local; ///< of the box
  Shape first; ///< index of the box's first element in each dimension

  std::uint64_t elements() const;
  bool isWhole() const { return local == whole; }

  /// Elements that lie one after another in the box and in the whole tensor.
  struct Run {
    std::uint64_t index; ///< of the first one, in the whole tensor
    std::uint64_t count;
  };
  /// From element `i` of the box on.
  Run runAt(std::uint64_t i) const;

  /// Calls `run(index, at, count)` for the runs that make up the box's
  /// elements [begin, begin + count): elements [index, +count) of the whole
  /// tensor are [begin + at, +count) of the box.
  template <typename F>
  void forEachRun(std::uint64_t begin, std::uint64_t count, F &&run) const {
    for (std::uint64_t at = 0; at < count;) {
      Run next = runAt(begin + at);
      std::uint64_t n = std::min(next.count, count - at);
      run(next.index, at, n);
      at += n;
    }
  }
};

/// What `rank` of the plan's grid holds of a tensor (Tensor.global_shape,
/// sharding). \throws Error(BadInput) naming the tensor and the sizes if a
/// dimension is not cut into equal parts.
TensorSlice sliceOf(const Plan &plan, const fb::Tensor &tensor,
                    const Grid &grid, unsigned rank);

} // namespace llamarun
