//===- TripletLayout.h - AdaLoRA's triplets in the flat buffers -*- C++ -*-===//
#pragma once

#include "passes/fuse/ParameterLayout.h"

namespace llamac {

/// Where the triplets of some modules lie: the table of the llm.triplet_* ops.
struct TripletLayout {
  int64_t modules = 0;
  int64_t rank = 0;
  /// Some factor is a part that tp devices share.
  bool hasParts = false;
  mlir::DenseElementsAttr table; // i64 [modules, kTripletFields]

  /// Elements of a row of llm.triplet_grams.
  int64_t gramWidth() const { return rank * rank + rank; }

  /// `tp`: devices of that axis. Fails with an error at `user` if a module
  /// lacks a factor or the factors do not fit together.
  static mlir::FailureOr<TripletLayout> create(mlir::Operation *user,
                                               mlir::ArrayAttr modules,
                                               const ParameterLayout &layout,
                                               int64_t tp);
};

} // namespace llamac
