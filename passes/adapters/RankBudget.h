//===- RankBudget.h - How a budget of ranks is spent -----------*- C++ -*-===//
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace llamac {

/// One layer that may get an adapter.
struct RankCandidate {
  double value = 0; ///< the statistic, at least 0
  int64_t cost = 1; ///< of one rank, in the unit of the budget
};

/// Rank `rank` for the layers of highest value, as long as the budget lasts; a
/// layer that does not fit any more is passed over for the next that does.
/// Layers of value 0 get none. Of equal values the first comes first. (Layers
/// by gradient norm: Lee et al. 2022, Surgical fine-tuning, arXiv 2210.11466.)
llvm::SmallVector<int64_t> topRanks(llvm::ArrayRef<RankCandidate> layers,
                                    int64_t rank, int64_t budget);

/// Ranks in proportion to the values, at most `most` a layer: one rank at a
/// time goes to the layer of the highest value / (rank + 1) that still fits
/// the budget (D'Hondt's method of apportionment), of equal ones to the first.
/// (Ranks in proportion to importance: He et al. 2025, GoRA, arXiv
/// 2502.12171.)
llvm::SmallVector<int64_t>
proportionalRanks(llvm::ArrayRef<RankCandidate> layers, int64_t most,
                  int64_t budget);

} // namespace llamac
