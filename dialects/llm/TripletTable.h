//===- TripletTable.h - Where AdaLoRA's triplets lie ------------*- C++ -*-===//
//
// The table of the llm.triplet_* ops, shared by the pass that builds it and the
// kernels that read it. No MLIR, no CUDA: compiler/kernels includes it, too.
//
//===----------------------------------------------------------------------===//
#pragma once

namespace llm {

/// Columns of a row of the table, i64. Elements count in the flat buffers; a
/// weight is the bits of a float.
enum TripletField {
  kTripletA,       ///< first element of A [r, columns]
  kTripletColumns, ///< columns of A on this device
  kTripletE,       ///< first element of E [r, 1]
  kTripletB,       ///< first element of B [rows, r]
  kTripletRows,    ///< rows of B on this device
  kTripletAWeight, ///< 1, or 1/tp if each of tp devices has all of A
  kTripletBWeight, ///< the same for B
  kTripletEWeight, ///< the same for E
  kTripletAMean,   ///< AWeight / columns of the whole A
  kTripletBMean,   ///< BWeight / rows of the whole B
  kTripletFields
};

} // namespace llm
