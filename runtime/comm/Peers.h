//===- Peers.h - The control plane of a job --------------------*- C++ -*-===//
//
// Every rank keeps a connection through which small things go: what each is
// doing, that it is alive, why it fails, and a few bytes of host data. Tensors
// go through a Communicator.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/comm/World.h"
#include "runtime/support/Error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// Why a job ends: the first cause that was seen, the same on every rank.
struct PeerFailure {
  /// Stands for no rank in particular: the cause names whom it concerns.
  static constexpr unsigned kJob = ~0u;

  unsigned rank = 0; ///< whose failure it is
  std::string host;
  std::string cause; ///< "killed by signal 9", "no sign of life for 60 s", ...
  ExitCode code = ExitCode::PeerLost; ///< its own exit code if it reported one
  std::int64_t step = -1;             ///< it was at; -1: before the first
  std::string lastCollective;         ///< with its MLIR location; may be empty
  /// "rank 2 on host a (step 17, last collective ...): killed by signal 9"
  std::string message() const;
};

struct PeerOptions {
  /// A rank that makes no progress, or gives no sign of life, for so long is
  /// lost: --timeout.
  double timeoutSeconds = 60;
};

class Peers {
public:
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

  virtual ~Peers() = default;
  /// With localRank and localSize, which a launcher may have left out.
  virtual const World &world() const = 0;

  /// Everybody's bytes, in order of rank, of any lengths up to kMostBytes: for
  /// more, in pieces. All ranks call the same functions in
  /// the same order. \throws Error(PeerLost or the failed rank's own code) with
  /// PeerFailure::message() once a peer is lost, here and in every later call.
  virtual std::vector<std::string> allGather(std::string_view mine) = 0;
  void barrier() { allGather({}); }
  /// Rank `root`'s bytes.
  std::string broadcast(unsigned root, std::string_view bytes) {
    return allGather(world().rank == root ? bytes : std::string_view{})[root];
  }

  /// What this rank is doing, for messages and for finding hangs; cheap, goes
  /// out with the next sign of life. A change counts as progress. Called when
  /// the step, or the collective, begins: who is behind in their sequence is
  /// the one that hangs.
  virtual void setStep(std::int64_t step) = 0;
  virtual void setCollective(std::string_view titleAndLocation) = 0;
  /// Phases without steps (loading, tuning, evaluation) call this now and then.
  virtual void progress() = 0;

  /// `action` is called once, from a thread of the control plane, when a rank
  /// is lost or fails (this one, too): to abort communicators that the main
  /// thread may be blocked in. Already lost: at once. Not after the returned
  /// object is gone, whose destructor waits for a call under way.
  using Subscription = std::shared_ptr<void>;
  [[nodiscard]] virtual Subscription
  onLost(std::function<void(const PeerFailure &)> action) = 0;
  /// \throws Error if a peer is lost.
  virtual void check() = 0;
  /// The failure, once there is one; the same on every rank.
  virtual std::optional<PeerFailure> failure() const = 0;
  /// Tells the others that this rank fails, and how; they end with its cause.
  /// Returns when they are told, after a second at most. An error of code
  /// PeerLost (a collective that broke) only counts if no other cause shows up
  /// at once: what really happened is failure().
  virtual void fail(const Error &error) noexcept = 0;
  /// This rank is done; waits until all are, so that its end is no failure.
  virtual void leave() = 0;
};

/// Meets the others at world.masterAddress and checks that all have the same
/// `fingerprint` (plan hash, world size, version). A world of one has no
/// sockets and no threads. \throws Error(PeerLost) if not all come within the
/// timeout, naming those missing, Error(BadInput) naming the ranks whose
/// fingerprint differs.
std::unique_ptr<Peers> joinPeers(const World &world,
                                 std::string_view fingerprint,
                                 const PeerOptions &options = {});

} // namespace llamarun
