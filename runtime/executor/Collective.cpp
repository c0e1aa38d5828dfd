#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"

namespace llamarun {

/// Devices that take part: the product of the axes it runs over.
static std::uint64_t groupSize(const StepContext &context) {
  std::uint64_t size = 1;
  for (auto axis : *context.step.operation_as_Collective()->axes())
    size *= context.plan.root().grid()->Get(axis)->size();
  return size;
}

// A session has no peers: every collective over one device is the identity.
const Executor collectiveExecutor = {
    fb::Operation::Collective,
    [](const StepContext &context) {
      if (groupSize(context) != 1)
        fail(ExitCode::BadInput, "a collective over ", groupSize(context),
             " devices needs a communicator, this session runs on one device");
    },
    [](const StepContext &context) {
      auto &op = *context.step.operation_as_Collective();
      auto source = context.session.range(op.source());
      auto target = context.session.range(op.target());
      if (source.pointer != target.pointer)
        context.device.copy(context.stream, target, source);
    }};

} // namespace llamarun
