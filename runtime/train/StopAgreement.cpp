#include "runtime/train/StopAgreement.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace llamarun {

static constexpr double kSeconds = 0.1;
static constexpr double kMostSteps = 1000;

void StopAgreement::settle() {
  if (pending.valid())
    arrived = pending.get();
}

void StopAgreement::post(std::uint64_t step) {
  auto now = Clock::now();
  Post mine{requested(), 1};
  if (step > lastPost && lastPost) {
    double each = std::chrono::duration<double>(now - lastTime).count() /
                  static_cast<double>(step - lastPost);
    mine.steps = static_cast<std::uint32_t>(
        std::clamp(kSeconds / std::max(each, 1e-9), 1.0, kMostSteps));
  }
  lastPost = step;
  lastTime = now;
  nextPost = step + span;
  auto begun = std::make_shared<std::promise<void>>();
  pending = std::async(std::launch::async, [this, mine, begun] {
    begun->set_value();
    return ranks.exchange(
        {reinterpret_cast<const char *>(&mine), sizeof(mine)});
  });
  // Who hangs is found by the order of exchanges and collectives.
  begun->get_future().wait();
}

int StopAgreement::after(std::uint64_t step) {
  if (ranks.alone())
    return requested();
  if (step < nextPost)
    return 0;
  settle();
  if (arrived) {
    int signal = 0;
    for (std::size_t rank = 0; rank < arrived->size(); ++rank) {
      auto &bytes = (*arrived)[rank];
      Post theirs;
      if (bytes.size() != sizeof(theirs))
        fail(ExitCode::PeerLost, "rank ", rank, " sent ", bytes.size(),
             " bytes where a signal was due");
      std::memcpy(&theirs, bytes.data(), sizeof(theirs));
      if (rank == 0)
        span = std::max(1u, theirs.steps);
      if (!signal)
        signal = theirs.signal;
    }
    arrived.reset();
    if (signal)
      return signal;
  }
  post(step);
  return 0;
}

} // namespace llamarun
