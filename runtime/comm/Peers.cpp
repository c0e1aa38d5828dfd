#include "runtime/comm/Peers.h"

#include "runtime/comm/Control.h"

namespace llamarun {

std::string PeerFailure::message() const {
  if (rank == kJob)
    return cause;
  std::string text = "rank " + std::to_string(rank);
  if (!host.empty())
    text += " on host " + host;
  if (step >= 0 || !lastCollective.empty()) {
    text += step >= 0 ? " (step " + std::to_string(step) : " (before step 0";
    if (!lastCollective.empty())
      text += ", last collective " + lastCollective;
    text += ")";
  }
  return text + ": " + cause;
}

namespace {

/// A world of one.
class Alone final : public Peers {
public:
  explicit Alone(const World &world) : theWorld(world) {
    theWorld.localSize = 1;
  }
  const World &world() const override { return theWorld; }
  std::vector<std::string> allGather(std::string_view mine) override {
    return {std::string(mine)};
  }
  void setStep(std::int64_t) override {}
  void setCollective(std::string_view) override {}
  void progress() override {}
  Subscription onLost(std::function<void(const PeerFailure &)>) override {
    return std::make_shared<int>();
  }
  void check() override {}
  std::optional<PeerFailure> failure() const override { return std::nullopt; }
  void fail(const Error &) noexcept override {}
  void leave() override {}

private:
  World theWorld;
};

} // namespace

std::unique_ptr<Peers> joinPeers(const World &world,
                                 std::string_view fingerprint,
                                 const PeerOptions &options) {
  if (world.alone())
    return std::make_unique<Alone>(world);
  return std::make_unique<Control>(
      world, meet(world, fingerprint, options.timeoutSeconds), options);
}

} // namespace llamarun
