#include "runtime/comm/Communicator.h"

#include "runtime/comm/Gloo.h"
#include "runtime/comm/Nccl.h"
#include "runtime/support/Error.h"

#include <set>

namespace llamarun {
namespace {

/// A world of one.
class Alone final : public Communicators {
public:
  explicit Alone(const Plan &plan) : theGrid(plan) {}
  const Grid &grid() const override { return theGrid; }
  unsigned rank() const override { return 0; }
  void prepare(Device &, std::span<const std::uint8_t>,
               const CollectiveCall &) override {}
  void enqueue(Device &device, StreamId stream, std::span<const std::uint8_t>,
               const CollectiveCall &call) override {
    if (call.source.pointer != call.target.pointer)
      device.copy(stream, call.target, call.source);
  }
  void abort() noexcept override {}

private:
  Grid theGrid;
};

} // namespace

std::unique_ptr<Communicators>
createCommunicators(const Plan &plan, Peers &peers, Device &device) {
  Grid grid(plan);
  auto &world = peers.world();
  if (grid.devices() != world.size)
    fail(ExitCode::BadInput, plan.path(), ": plan is for a grid of ",
         grid.devices(), " devices, the job has ", world.size, " ranks");
  if (world.size == 1)
    return std::make_unique<Alone>(plan);
  if (device.kind() == "cpu")
    return createGlooCommunicators(plan, peers);
  if (device.kind() == "cuda")
    return createNcclCommunicators(plan, peers, device);
  fail(ExitCode::BadInput, plan.path(), ": no collectives for '", device.kind(),
       "'");
}

std::uint64_t groupKey(const Grid &grid, std::span<const std::uint8_t> axes) {
  std::uint64_t key = 0;
  for (auto axis : axes)
    if (grid.size(axis) > 1)
      key |= std::uint64_t{1} << axis;
  return key;
}

std::vector<std::uint8_t> groupAxes(std::uint64_t key) {
  std::vector<std::uint8_t> axes;
  for (std::uint8_t axis = 0; key >> axis; ++axis)
    if (key >> axis & 1)
      axes.push_back(axis);
  return axes;
}

std::vector<CommunicatorKey> communicatorsOf(const Plan &plan) {
  Grid grid(plan);
  std::set<CommunicatorKey> keys;
  for (std::size_t p = 0; p < plan.programCount(); ++p)
    for (auto *step : *plan.program(p).steps())
      if (auto *op = step->operation_as_Collective()) {
        auto axes = groupKey(grid, {op->axes()->data(), op->axes()->size()});
        if (axes)
          keys.insert({axes, step->stream()});
      }
  return {keys.begin(), keys.end()};
}

} // namespace llamarun
