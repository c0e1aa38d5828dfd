#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"

namespace llamarun {

const Executor fillExecutor = {
    fb::Operation::Fill, [](const StepContext &) {},
    [](const StepContext &context) {
      auto &fill = *context.step.operation_as_Fill();
      context.device.fill(context.stream, context.session.range(fill.target()),
                          context.plan.buffer(fill.target()).dtype(),
                          fill.value());
    }};

} // namespace llamarun
