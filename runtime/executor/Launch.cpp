#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"

namespace llamarun {

static LaunchCall callOf(const StepContext &context) {
  auto &launch = *context.step.operation_as_Launch();
  LaunchCall call;
  call.kernel = context.kernels[launch.kernel()];
  for (std::size_t i = 0; i < sizeOf(launch.reads()); ++i)
    call.reads.push_back(context.session.range(launch.reads()->Get(i)));
  for (std::size_t i = 0; i < sizeOf(launch.writes()); ++i)
    call.writes.push_back(context.session.range(launch.writes()->Get(i)));
  for (std::size_t i = 0; i < sizeOf(launch.scalars()); ++i)
    call.scalars.push_back(launch.scalars()->Get(i));
  if (launch.sums() >= 0) {
    auto sum = kernelSumOf(context);
    for (auto value :
         {sum.rank, sum.bytes, sum.slot, sum.inboxes, sum.state, sum.abort})
      call.scalars.push_back(value);
  }
  call.grid = {launch.grid_x(), launch.grid_y(), launch.grid_z()};
  call.block = {launch.block_x(), launch.block_y(), launch.block_z()};
  call.sharedBytes = launch.shared_bytes();
  call.grain = launch.grain();
  call.programmatic = launch.programmatic();
  return call;
}

const Executor launchExecutor = {
    fb::Operation::Launch,
    [](const StepContext &context) {
      context.device.prepareLaunch(callOf(context));
    },
    [](const StepContext &context) {
      context.device.launch(context.stream, callOf(context));
    }};

} // namespace llamarun
