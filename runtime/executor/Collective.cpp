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

/// "step 7 (all_reduce sum over dp, loc(...))"
static std::string describe(const Plan &plan, std::uint32_t index,
                            const fb::Step &step) {
  auto &op = *step.operation_as_Collective();
  auto &root = plan.root();
  std::ostringstream text;
  text << "step " << index << " (" << nameOf(op.kind()) << " over ";
  bool first = true;
  for (auto axis : axesOf(op)) {
    text << (first ? "" : ",")
         << printable(viewOf(root.grid()->Get(axis)->name()));
    first = false;
  }
  text << ", " << printable(viewOf(root.locations()->Get(step.location())))
       << ")";
  return text.str();
}

static std::string prefixOf(const Plan &plan, const fb::Program &program) {
  return plan.path() + ": program '" + std::string(viewOf(program.name())) +
         "', ";
}

std::string collectivesOf(const Plan &plan, const fb::Program &program) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < program.steps()->size(); ++i)
    if (auto *op = program.steps()->Get(i)->operation_as_Collective()) {
      std::uint64_t devices = 1;
      for (auto axis : axesOf(*op))
        devices *= plan.root().grid()->Get(axis)->size();
      if (devices > 1)
        found.push_back(i);
    }
  if (found.empty())
    return {};
  auto at = [&](std::uint32_t i) {
    return describe(plan, i, *program.steps()->Get(i));
  };
  if (found.size() == 1)
    return prefixOf(plan, program) + at(found[0]);
  return prefixOf(plan, program) + "one of " + std::to_string(found.size()) +
         " collectives from " + at(found.front()) + " to " + at(found.back());
}

static CollectiveCall callOf(const StepContext &context) {
  auto &op = *context.step.operation_as_Collective();
  return {op.kind(),
          context.plan.buffer(op.source()).dtype(),
          context.session.range(op.source()),
          context.session.range(op.target()),
          context.step.stream(),
          prefixOf(context.plan, context.program) +
              describe(context.plan, context.index, context.step),
          op.in_kernel()};
}

KernelSum kernelSumOf(const StepContext &context) {
  // Verified: it is the step before on the stream.
  auto &steps = *context.program.steps();
  auto i = context.index;
  while (steps.Get(--i)->stream() != context.step.stream())
    ;
  StepContext before{
      context.session, context.plan,    context.device, context.communicators,
      context.kernels, context.program, *steps.Get(i),  i,
      context.stream};
  if (!context.communicators)
    return {};
  return context.communicators->kernelSum(
      axesOf(*before.step.operation_as_Collective()), callOf(before));
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
