//===- GpuRowwiseShape.h - How a GPU covers rows with threads --*- C++ -*-===//
#pragma once

#include "passes/codegen/RowwiseBody.h"

#include "llvm/Support/MathExtras.h"

namespace llamac {

/// The work of one llm.rowwise in tiles. A tile is `threads` threads that cover
/// `vectors` vectors of `lanes` columns each: vector j of thread t starts at
/// column ((chunk * vectors + j) * threads + t) * lanes. `chunks` tiles cover a
/// row, and a block has `tiles` of them; tile q of the grid is chunk
/// q % chunks of row q / chunks.
struct GpuRowwiseShape {
  int64_t lanes = 1;
  int64_t threads = 1; ///< a power of two up to the warp, or whole warps
  int64_t vectors = 1;
  int64_t chunks = 1; ///< 1 if the row is reduced
  int64_t tiles = 1;
  /// The threads hold the whole row; else the tile goes over it `vectors` at a
  /// time, once for every pass.
  bool resident = true;
  /// Inputs whose vectors are loaded before the first pass and kept. The rest
  /// is loaded again where it is needed.
  llvm::SmallVector<bool> kept;
  /// Bytes that the addresses of input i or yield j are a multiple of, at most
  /// 16: what moves at once.
  llvm::SmallVector<int64_t> readBytes, writeBytes;
  int64_t cols = 1;

  int64_t blockThreads() const { return threads * tiles; }
  int64_t grid(int64_t rows) const {
    return llvm::divideCeil(rows * chunks, tiles);
  }
  /// The last block may have tiles beyond the last row: the kernel takes the
  /// number of rows.
  bool takesRows() const { return tiles > 1; }
  /// Columns of one vector of all threads.
  int64_t stride() const { return threads * lanes; }

  /// Alignment of the buffers in bytes, inputs then results; 16 where there is
  /// no entry.
  static GpuRowwiseShape choose(RowwiseBody &body,
                                llvm::ArrayRef<int64_t> alignments);
};

} // namespace llamac
