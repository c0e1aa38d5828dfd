//===- Ranks.h - This process among those that run a plan ------*- C++ -*-===//
#pragma once

#include "runtime/comm/Grid.h"
#include "runtime/comm/Peers.h"
#include "runtime/plan/Plan.h"
#include "runtime/support/Error.h"
#include "runtime/train/TensorSlice.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// The place of this process in a plan's grid, and what the training loop says
/// to the others. Without others every exchange is the identity. Cheap to copy;
/// `peers` must outlive it.
class Ranks {
public:
  /// The only rank of a plan for one device.
  Ranks() : grid(std::vector<unsigned>{}) {}
  /// \param peers null if the plan is for one device.
  /// \throws Error(Usage) if there are not as many ranks as the grid has
  ///   devices.
  Ranks(const Plan &plan, Peers *peers);

  unsigned rank() const { return mine; }
  unsigned size() const { return count; }
  bool alone() const { return count == 1; }
  /// Rank 0: it alone prints and writes files.
  bool first() const { return mine == 0; }

  /// Index among the replicas, which train on different examples, and how many
  /// there are: axis "dp".
  unsigned dataRank() const { return dataRankOf(mine); }
  unsigned dataRanks() const { return replicas; }
  unsigned dataRankOf(unsigned rank) const;
  /// Whether `rank` speaks for its replica, whose ranks all know the same of
  /// losses and logits: the lowest of it.
  bool leads(unsigned rank) const;
  bool leads() const { return leads(mine); }
  /// Index along every axis: the input `grid_index`.
  std::vector<std::int32_t> gridIndex() const;

  /// What this rank, or another, holds of a tensor.
  /// \throws Error(BadInput) naming the tensor; Error(Usage) if the plan is for
  ///   another number of ranks.
  TensorSlice slice(const Plan &plan, const fb::Tensor &tensor) const {
    return slice(plan, tensor, mine);
  }
  TensorSlice slice(const Plan &plan, const fb::Tensor &tensor,
                    unsigned rank) const;

  /// Everybody's bytes by rank, in one call of Peers::allGather: small ones.
  /// All ranks call this and the next three in the same order.
  std::vector<std::string> exchange(std::string_view mine) const;
  /// The same for any size; goes in pieces of at most 1 MiB.
  std::vector<std::string> gather(std::string_view mine) const;
  /// Everybody's numbers: `values.size()` of each rank, by rank. All ranks give
  /// as many.
  std::vector<double> gatherNumbers(std::span<const double> values) const;
  /// Rank 0's bytes.
  std::string fromFirst(std::string_view bytes) const;

  /// Sign of life of phases without steps; what step it is at.
  void progress() const;
  void setStep(std::uint64_t step) const;
  /// \throws Error if a peer is lost.
  void check() const;
  /// Tells the others that this rank ends with `error`.
  void fail(const Error &error) const noexcept;

private:
  Grid grid;
  Peers *peers = nullptr;
  unsigned mine = 0, count = 1, replicas = 1;
  std::size_t dataAxis = 0; ///< grid.axes() if there is none
};

} // namespace llamarun
