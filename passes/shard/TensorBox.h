//===- TensorBox.h - A part of a tensor ------------------------*- C++ -*-===//
#pragma once

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace llamac {

/// Elements [first, first + shape) of a tensor, dimension by dimension.
struct TensorBox {
  llvm::SmallVector<int64_t, 2> first, shape;
  bool operator==(const TensorBox &) const = default;

  int64_t elements() const {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    return count;
  }

  /// What both have, or nothing.
  std::optional<TensorBox> intersect(const TensorBox &other) const {
    TensorBox box;
    for (unsigned d = 0; d < shape.size(); ++d) {
      int64_t begin = std::max(first[d], other.first[d]);
      int64_t end =
          std::min(first[d] + shape[d], other.first[d] + other.shape[d]);
      if (begin >= end)
        return std::nullopt;
      box.first.push_back(begin);
      box.shape.push_back(end - begin);
    }
    return box;
  }

  /// The element `index` of the tensor, counted row by row in this box.
  int64_t linear(llvm::ArrayRef<int64_t> index) const {
    int64_t at = 0;
    for (unsigned d = 0; d < shape.size(); ++d)
      at = at * shape[d] + index[d] - first[d];
    return at;
  }

  /// The reverse: where in the tensor the box's element `at` is.
  llvm::SmallVector<int64_t, 2> index(int64_t at) const {
    llvm::SmallVector<int64_t, 2> result(shape.size());
    for (unsigned d = shape.size(); d-- > 0;) {
      result[d] = first[d] + at % shape[d];
      at /= shape[d];
    }
    return result;
  }

  /// How many elements from the box's element `at` on lie one after another in
  /// a tensor of shape `whole`, too.
  int64_t runAt(int64_t at, llvm::ArrayRef<int64_t> whole) const {
    int64_t block = 1;
    for (unsigned d = shape.size(); d-- > 0;) {
      block *= shape[d];
      if (shape[d] != whole[d])
        break;
    }
    return block - at % block;
  }
};

} // namespace llamac
