//===- OwnParts.h - What one rank writes of a checkpoint -------*- C++ -*-===//
//
// Copied between two steps, written whenever: by a thread beside the steps.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/comm/Grid.h"
#include "runtime/executor/Session.h"
#include "runtime/io/Checkpoint.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// The checkpoint of a plan, but for position and what its files hold.
Checkpoint outlineOf(const Plan &plan);

/// Which part of a tensor a rank has.
std::size_t partOf(const fb::Tensor &tensor, const Grid &grid, unsigned rank);

/// The parts that are a rank's to write: those of which it is the lowest owner.
struct OwnParts {
  unsigned rank = 0;
  /// Keys of Checkpoint::tensors and the elements, in the plan's order.
  std::vector<std::pair<std::string, std::vector<std::byte>>> parts;
  /// Where the device keeps the elements for now: `parts` are filled by
  /// fetch(), from any thread.
  std::unique_ptr<Snapshot> onDevice{};
  std::vector<std::uint64_t> sizes{};
  void fetch();
};

/// A snapshot where the device makes one; otherwise waits for the device and
/// copies. `outline` is the plan's.
/// \param spare an older copy, whose memory is used again: new pages would take
///   longer than to fill them.
OwnParts copyOwnParts(Session &session, const Checkpoint &outline,
                      const Grid &grid, unsigned rank, OwnParts spare = {});

/// Writes them to a file in `directory` and flushes it. \returns what
/// addReport() needs to know; empty if there are none.
/// \throws Error(Storage).
std::string writeOwnParts(const OwnParts &own, const Checkpoint &outline,
                          const std::filesystem::path &directory);

/// Fills in files and hashes from what writeOwnParts() returned, by rank.
void addReports(Checkpoint &outline, const std::vector<std::string> &reports);

} // namespace llamarun
