//===- SkinnyGemmPlace.h - Who does what of a skinny product ----*- C++ -*-===//
//
// Index arithmetic of skinny_gemm, shared by the kernel, the host code that
// sizes its grid and a test that runs without a GPU
// (test/compiler/kernels/SkinnyGemmPlaceTest.cpp).
//
// K is cut into chunks of 64. The blocks of a cluster have neighbouring ranges
// of them; the warps of a block take the chunks of its range in turn. A warp's
// partial sums of a tile are pairs of neighbouring columns, numbered in the
// order that mma.m16n8k16 leaves them in (WarpMatrix.cuh): pair 64 f + 32 h +
// 4 g + t is row g + 8 h, columns 2t and 2t + 1 of the 16 x 8 fragment f.
// Every block of the cluster sums and stores an equal range of pairs.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/AttentionPlace.h"

#include <cstdint>

namespace llamac::kernels {

constexpr int kSkinnyChunk = 64;  // elements of K
constexpr int kSkinnyCluster = 8; // blocks that share a tile

/// Chunks [first, end) of a block.
struct SkinnyRange {
  int first, end;
};

LLAMAC_HOST_DEVICE inline int skinnyChunks(int64_t k) {
  return int((k + kSkinnyChunk - 1) / kSkinnyChunk);
}
/// The most chunks a block of the cluster has.
LLAMAC_HOST_DEVICE inline int skinnyChunksPerBlock(int64_t k) {
  return (skinnyChunks(k) + kSkinnyCluster - 1) / kSkinnyCluster;
}
/// The range of block `rank`; empty blocks have first == end.
LLAMAC_HOST_DEVICE inline SkinnyRange skinnyRange(int64_t k, int rank) {
  int chunks = skinnyChunks(k), part = skinnyChunksPerBlock(k);
  int first = rank * part, end = first + part;
  return {first < chunks ? first : chunks, end < chunks ? end : chunks};
}
/// How many chunks warp `warp` of `warps` has: first + warp, + warps, ...
LLAMAC_HOST_DEVICE inline int skinnyRounds(SkinnyRange range, int warp,
                                           int warps) {
  int rest = range.end - range.first - warp;
  return rest > 0 ? (rest + warps - 1) / warps : 0;
}

/// Pairs of a tile, and those that one block of the cluster stores.
LLAMAC_HOST_DEVICE constexpr int skinnyPairs(int rows, int columns) {
  return rows * columns / 2;
}
LLAMAC_HOST_DEVICE constexpr int skinnyShare(int rows, int columns) {
  return skinnyPairs(rows, columns) / kSkinnyCluster;
}

/// Row and left column of a pair, counted from the tile's corner. Fragments
/// go along a row of `columns` / 8 first.
struct SkinnyPair {
  int row, column;
};
LLAMAC_HOST_DEVICE inline SkinnyPair skinnyPair(int pair, int columns) {
  int fragment = pair >> 6, across = columns / 8;
  return {fragment / across * 16 + ((pair >> 5) & 1) * 8 + ((pair >> 2) & 7),
          fragment % across * 8 + (pair & 3) * 2};
}

/// Byte offset of 16-byte chunk `chunk` of row `row` in a tile of shared memory
/// whose rows have `Chunks` chunks (1, 2, 4 or 8). Chunks are permuted so that
/// eight rows of one chunk, or eight chunks on end, meet eight bank groups.
template <int Chunks>
LLAMAC_HOST_DEVICE inline uint32_t skinnyOffset(int row, int chunk) {
  return uint32_t(row * Chunks * 16 +
                  ((chunk ^ ((row / (8 / Chunks)) & (Chunks - 1))) << 4));
}

/// A tile's shape: rows of D, columns of D, warps of a block, and the chunks
/// that a warp keeps in flight.
struct SkinnyTile {
  int rows, columns, warps, stages;
};

/// Dynamic shared memory of a block: the sums that the cluster sends, then the
/// chunks in flight. With less to do than `stages` chunks a warp, less.
LLAMAC_HOST_DEVICE inline int64_t skinnySharedBytes(SkinnyTile tile,
                                                    int64_t k) {
  int rounds = (skinnyChunksPerBlock(k) + tile.warps - 1) / tile.warps;
  int64_t stages = rounds < tile.stages ? rounds : tile.stages;
  return tile.rows * tile.columns * 4 +
         stages * tile.warps * (tile.rows + tile.columns) * kSkinnyChunk * 2;
}

} // namespace llamac::kernels
