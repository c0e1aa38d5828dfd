#include "runtime/comm/Watch.h"

#include <cstdio>
#include <tuple>

namespace llamarun {

std::string secondsText(double seconds) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.3g s", seconds);
  return text;
}

Watch::Watch(unsigned size, double timeout, double silence, Time now)
    : ranks(size, Rank{{}, now, now}), timeout(timeout), silence(silence) {}

void Watch::heard(unsigned rank, const Activity &activity, Time now) {
  ranks[rank].heard = now;
  if (activity == ranks[rank].activity)
    return;
  ranks[rank].activity = activity;
  ranks[rank].progressed = now;
}

void Watch::forgive(Clock::duration time) {
  for (auto &rank : ranks) {
    rank.heard += time;
    rank.progressed += time;
  }
}

static double since(Watch::Time then, Watch::Time now) {
  return std::chrono::duration<double>(now - then).count();
}

std::optional<std::string> Watch::silent(unsigned rank, Time now) const {
  if (ranks[rank].activity.left || since(ranks[rank].heard, now) <= silence)
    return std::nullopt;
  return "no sign of life for " + secondsText(silence) +
         ": it is stopped, or its host is gone";
}

std::optional<Watch::Verdict> Watch::judge(Time now) const {
  for (unsigned r = 0; r < ranks.size(); ++r)
    if (auto cause = silent(r, now))
      return Verdict{r, *cause};

  auto place = [](const Rank &rank) {
    auto &a = rank.activity;
    return std::tuple(a.left, a.gathers, a.step, a.collectives);
  };
  // Of those furthest behind the one that has stood still longest, and that
  // only if none of them moves: a group may wait for one that still works.
  const Rank *last = &ranks[0];
  for (auto &rank : ranks)
    if (place(rank) < place(*last))
      last = &rank;
  const Rank *oldest = last;
  unsigned together = 0;
  for (auto &rank : ranks) {
    if (place(rank) != place(*last))
      continue;
    if (since(rank.progressed, now) <= timeout)
      return std::nullopt;
    if (rank.progressed < oldest->progressed)
      oldest = &rank;
    ++together;
  }
  if (last->activity.left)
    return std::nullopt;
  std::string cause = "no progress for " + secondsText(timeout);
  if (together > 1 && together == ranks.size())
    cause += ", as all others: the last collective does not end";
  else if (together > 1)
    cause += ", as " + std::to_string(together - 1) + " others at its place";
  return Verdict{static_cast<unsigned>(oldest - ranks.data()), cause};
}

} // namespace llamarun
