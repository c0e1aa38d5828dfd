//===- Join.h - How the ranks of a job meet --------------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Connection.h"
#include "runtime/comm/World.h"

#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// What a rank knows when all are there.
struct Meeting {
  /// On rank 0 those to all ranks, its own closed; elsewhere one, to rank 0.
  std::vector<Connection> connections;
  std::vector<std::string> hosts; ///< in order of rank
};

/// Rank 0 listens, the others connect and say who they are; when all are there,
/// rank 0 compares the fingerprints and welcomes or refuses all of them.
/// Connections that do not begin as ours do are dropped.
/// \throws Error(PeerLost) naming the ranks that did not come within
/// `timeout` seconds or went away while waiting, Error(BadInput) naming the
/// ranks whose fingerprint, world size or rank number does not go with rank
/// 0's.
Meeting meet(const World &world, std::string_view fingerprint, double timeout);

} // namespace llamarun
