//===- TripletsPlace.h - Sizes of the kernels in Triplet*.cu ---*- C++ -*-===//
#pragma once

#include <cstdint>

namespace llamac::kernels {

constexpr int kTripletTile = 16;   // a block's part of a Gram matrix
constexpr int kTripletCluster = 4; // blocks of triplet_grams for a tile
constexpr int kTripletChunks = 4;  // blocks of triplet_finish for a matrix
constexpr int kTripletMaxRank =
    128; // triplet_finish keeps r * ceil16(r) floats

/// Rows of triplet_finish's table in shared memory.
constexpr int64_t tripletPadded(int64_t rank) {
  return (rank + kTripletTile - 1) / kTripletTile * kTripletTile;
}

} // namespace llamac::kernels
