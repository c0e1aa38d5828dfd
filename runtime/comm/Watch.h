//===- Watch.h - Which rank is it that hangs -------------------*- C++ -*-===//
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

/// How far a rank is. All ranks take the same steps and make the same calls of
/// allGather in the same order, and between two of either those of one group
/// the same collectives; the later in this order, the further.
struct Activity {
  std::uint64_t gathers = 0;     ///< calls begun
  std::int64_t step = -1;        ///< begun
  std::uint64_t collectives = 0; ///< begun since the later of the two
  std::uint64_t progress = 0;    ///< other signs of progress
  bool left = false;

  auto operator<=>(const Activity &) const = default;
};

/// Rank 0's opinion of all ranks. A rank that stands still because it waits for
/// another is not to blame: the one that is furthest behind is.
class Watch {
public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  /// \param timeout seconds without progress, \param silence seconds without a
  /// sign of life, after which a rank is lost.
  Watch(unsigned size, double timeout, double silence, Time now);

  void heard(unsigned rank, const Activity &activity, Time now);
  const Activity &activity(unsigned rank) const { return ranks[rank].activity; }
  /// This process itself stood still for so long (it was stopped, or the
  /// machine slept): nobody else is to blame for that time.
  void forgive(Clock::duration time);

  struct Verdict {
    unsigned rank = 0;
    std::string cause;
  };
  std::optional<Verdict> judge(Time now) const;
  /// The cause if `rank` gives no sign of life.
  std::optional<std::string> silent(unsigned rank, Time now) const;

private:
  struct Rank {
    Activity activity;
    Time heard, progressed;
  };
  std::vector<Rank> ranks;
  double timeout, silence;
};

/// "60 s", "0.5 s"
std::string secondsText(double seconds);

} // namespace llamarun
