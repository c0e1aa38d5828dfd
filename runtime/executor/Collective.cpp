#include "runtime/comm/Communicator.h"
#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"
#include "runtime/plan/Ledger.h"
#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <sstream>

namespace llamarun {

static std::span<const std::uint8_t> axesOf(const fb::Collective &op) {
  return {op.axes()->data(), op.axes()->size()};
}

/// "plan.fb: program 'train_64', step 7 (all_reduce sum over dp, loc(...))"
static std::string titleOf(const StepContext &context) {
  auto &op = *context.step.operation_as_Collective();
  auto &root = context.plan.root();
  std::ostringstream title;
  title << context.plan.path() << ": program '"
        << viewOf(context.program.name()) << "', step " << context.index << " ("
        << nameOf(op.kind()) << " over ";
  bool first = true;
  for (auto axis : axesOf(op)) {
    title << (first ? "" : ",")
          << printable(viewOf(root.grid()->Get(axis)->name()));
    first = false;
  }
  title << ", "
        << printable(viewOf(root.locations()->Get(context.step.location())))
        << ")";
  return title.str();
}

static CollectiveCall callOf(const StepContext &context) {
  auto &op = *context.step.operation_as_Collective();
  return {op.kind(), context.plan.buffer(op.source()).dtype(),
          context.session.range(op.source()),
          context.session.range(op.target()), titleOf(context)};
}

// A session without communicators has one device, as its plan (Session checks
// it): a collective is the identity.
const Executor collectiveExecutor = {
    fb::Operation::Collective,
    [](const StepContext &context) {
      if (context.communicators)
        context.communicators->prepare(
            context.device, axesOf(*context.step.operation_as_Collective()),
            callOf(context));
    },
    [](const StepContext &context) {
      auto call = callOf(context);
      if (context.communicators)
        context.communicators->enqueue(
            context.device, context.stream,
            axesOf(*context.step.operation_as_Collective()), call);
      else if (call.source.pointer != call.target.pointer)
        context.device.copy(context.stream, call.target, call.source);
    }};

} // namespace llamarun
