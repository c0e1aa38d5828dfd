#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"

namespace llamarun {

const Executor copyExecutor = {
    fb::Operation::Copy, [](const StepContext &) {},
    [](const StepContext &context) {
      auto &copy = *context.step.operation_as_Copy();
      context.device.copy(context.stream, context.session.range(copy.target()),
                          context.session.range(copy.source()));
    }};

} // namespace llamarun
