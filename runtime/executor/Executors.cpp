#include "runtime/executor/Executors.h"

#include "runtime/support/Error.h"

namespace llamarun {

static constexpr const Executor *kExecutors[] = {
    &gemmExecutor, &launchExecutor,     &copyExecutor,
    &fillExecutor, &collectiveExecutor,
};

const Executor &executorOf(fb::Operation operation) {
  for (auto *executor : kExecutors)
    if (executor->operation == operation)
      return *executor;
  fail(ExitCode::BadInput, "no executor for operation ", nameOf(operation));
}

} // namespace llamarun
