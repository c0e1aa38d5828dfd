//===- FactorGradientsPlace.h - Tiles of factor_gradients -------*- C++ -*-===//
//
// Index arithmetic of factor_gradients, shared by the kernel, the host code
// that sizes its grid and a test that runs without a GPU
// (test/compiler/kernels/FactorGradientsTest.cpp).
//
// A block has kFactorTile columns of one problem's Y and all columns of its S.
// Blocks count the problems' tiles in order. Tokens come in chunks, a ring of
// kFactorStages of them in shared memory; a chunk is a tile of Y, then one of
// S, both [kFactorChunk, 64] as in WarpMatrix.cuh. When all are read, the f32
// result lies there instead, with rows as far apart as mma's fragments need to
// be written without bank conflicts.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/AttentionPlace.h"

#include <cstdint>

namespace llamac::kernels {

constexpr int kFactorTile = 64;    // columns of Y that a block has
constexpr int kFactorMaxRank = 64; // columns of S
constexpr int kFactorChunk = 64;   // tokens
constexpr int kFactorStages = 3;
constexpr int kFactorThreads = 128;
constexpr int kFactorMaxProblems = 4;
constexpr int kFactorTileBytes = kFactorChunk * 64 * 2; // of Y, and of S

/// Blocks of a problem with `n` columns.
LLAMAC_HOST_DEVICE constexpr int64_t factorTiles(int64_t n) {
  return (n + kFactorTile - 1) / kFactorTile;
}

/// Where the element of column `n` (of the tile) of Y and column `c` of S is
/// staged, in floats: [n, c] or, `transposed`, [c, n].
constexpr int kFactorPitch = 72, kFactorPitchTransposed = 68;
LLAMAC_HOST_DEVICE constexpr int factorStaged(bool transposed, int n, int c) {
  return transposed ? c * kFactorPitchTransposed + n : n * kFactorPitch + c;
}

/// Dynamic shared memory of a block: the ring, no longer than there are tokens,
/// or the staged result.
LLAMAC_HOST_DEVICE constexpr int64_t factorSharedBytes(int64_t tokens) {
  int64_t chunks = (tokens + kFactorChunk - 1) / kFactorChunk;
  int64_t ring =
      (chunks < kFactorStages ? chunks : kFactorStages) * 2 * kFactorTileBytes;
  int64_t staged = kFactorTile * kFactorPitch * 4;
  return ring > staged ? ring : staged;
}

} // namespace llamac::kernels
