//===- StopAgreement.h - All ranks stop after the same step ----*- C++ -*-===//
#pragma once

#include "runtime/train/Ranks.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

/// A signal reaches ranks at different steps, or only one of them; they must
/// stop after the same one, or the others wait for its collectives for ever.
///
/// At some steps each rank posts whether it was asked to stop, and goes on; at
/// the next such step it takes what the others posted, which has long arrived
/// unless a rank is that far behind. The exchange runs beside the steps between
/// the two, on a thread and the control plane. Which step is the next one, rank
/// 0 said in the exchange before: as many further as take a tenth of a second.
/// So a stop takes at most two such spans, or two steps if they are longer.
class StopAgreement {
public:
  /// What goes to the others with the next exchange, whenever that is.
  struct Rider {
    std::function<std::string()> take;
    /// Everybody's, by rank; throws the same on all ranks.
    std::function<void(const std::vector<std::string> &)> compare;
  };

  /// One that takes both along; either may be empty.
  static Rider both(Rider first, Rider second);

  /// \param requested the number of the signal this rank got, or 0.
  StopAgreement(const Ranks &ranks, std::function<int()> requested,
                Rider rider = {})
      : ranks(ranks), requested(std::move(requested)), rider(std::move(rider)) {
  }
  /// Waits for the exchange under way; it ends when a rank fails, this one
  /// included (Peers::fail).
  ~StopAgreement() = default;

  /// Called by all ranks for each step, when it was put in. \returns the signal
  /// for which all stop now, with this step as their last; or 0.
  /// \throws Error if a peer is lost.
  int after(std::uint64_t step);

  /// Before this thread exchanges anything with the others itself: all ranks
  /// have the same order of exchanges. \throws what the rider's compare() does.
  void settle();

private:
  using Clock = std::chrono::steady_clock;
  struct Post {
    std::int32_t signal = 0;
    std::uint32_t steps = 1; ///< rank 0's: until the next exchange
  };
  void post(std::uint64_t step);
  std::vector<Post> read(std::vector<std::string> all) const;

  const Ranks &ranks;
  std::function<int()> requested;
  Rider rider;
  std::future<std::vector<std::string>> pending;
  std::optional<std::vector<Post>> arrived;
  std::uint64_t lastPost = 0, nextPost = 0;
  std::uint32_t span = 1; ///< steps between the last exchanges
  Clock::time_point lastTime;
};

} // namespace llamarun
