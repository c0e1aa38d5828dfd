#include "runtime/train/StopAgreement.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace llamarun {

static constexpr double kSeconds = 0.1;
static constexpr double kMostSteps = 1000;

/// Takes what ranks sent apart, and shows the rider its part.
std::vector<StopAgreement::Post>
StopAgreement::read(std::vector<std::string> all) const {
  std::vector<Post> posts;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    auto &bytes = all[rank];
    Post &theirs = posts.emplace_back();
    if (bytes.size() < sizeof(theirs) ||
        (!rider.compare && bytes.size() > sizeof(theirs)))
      fail(ExitCode::PeerLost, "rank ", rank, " sent ", bytes.size(),
           " bytes where a signal was due");
    std::memcpy(&theirs, bytes.data(), sizeof(theirs));
    bytes.erase(0, sizeof(theirs));
  }
  if (rider.compare)
    rider.compare(all);
  return posts;
}

StopAgreement::Rider StopAgreement::both(Rider first, Rider second) {
  if (!first.take || !second.take)
    return first.take ? first : second;
  auto take = [first, second] {
    std::string bytes = first.take();
    std::uint64_t size = bytes.size();
    bytes.insert(0, reinterpret_cast<const char *>(&size), sizeof(size));
    return bytes + second.take();
  };
  auto compare = [first, second](const std::vector<std::string> &all) {
    std::vector<std::string> ofFirst, ofSecond;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      std::uint64_t size = 0;
      if (all[rank].size() >= sizeof(size))
        std::memcpy(&size, all[rank].data(), sizeof(size));
      if (all[rank].size() < sizeof(size) ||
          size > all[rank].size() - sizeof(size))
        fail(ExitCode::PeerLost, "rank ", rank, " sent ", all[rank].size(),
             " bytes where two messages were due");
      ofFirst.push_back(all[rank].substr(sizeof(size), size));
      ofSecond.push_back(all[rank].substr(sizeof(size) + size));
    }
    first.compare(ofFirst);
    second.compare(ofSecond);
  };
  return {take, compare};
}

void StopAgreement::settle() {
  if (pending.valid())
    arrived = read(pending.get());
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
  std::string bytes(reinterpret_cast<const char *>(&mine), sizeof(mine));
  if (rider.take)
    bytes += rider.take();
  auto begun = std::make_shared<std::promise<void>>();
  pending =
      std::async(std::launch::async, [this, bytes = std::move(bytes), begun] {
        begun->set_value();
        return ranks.exchange(bytes);
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
    span = std::max(1u, arrived->front().steps);
    for (const Post &theirs : *arrived)
      if (!signal)
        signal = theirs.signal;
    arrived.reset();
    if (signal)
      return signal;
  }
  post(step);
  return 0;
}

} // namespace llamarun
