//===- SessionSteps.h - A program's steps, one by one ----------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"
#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <string>

namespace llamarun {

/// "gemm", "launch of 'rms_norm_4096'": what a step is called in messages.
inline std::string titleOf(const Plan &plan, const fb::Step &step) {
  std::string title = nameOf(step.operation_type());
  if (auto *launch = step.operation_as_Launch())
    title += " of '" +
             printable(viewOf(
                 plan.root().kernels()->Get(launch->kernel())->symbol())) +
             "'";
  return title;
}

/// Calls action(index, context) for every step; an Error is thrown on with
/// program, step, kernel and MLIR location. With `oneStream` every step is put
/// on stream 0: in their order they need no events.
template <typename Action>
void Session::forEachStep(const fb::Program &program, bool oneStream,
                          Action &&action) {
  auto &steps = *program.steps();
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    auto &step = *steps.Get(i);
    try {
      action(i, StepContext{*this, *thePlan, *theDevice, options.communicators,
                            kernels, program, step, i,
                            oneStream ? StreamId{0} : step.stream()});
    } catch (const CollectiveError &) {
      throw; // says so already
    } catch (const Error &error) {
      auto *location = thePlan->root().locations()->Get(step.location());
      fail(error.code(), thePlan->path(), ": program '", viewOf(program.name()),
           "', step ", i, " (", titleOf(*thePlan, step), ", ",
           printable(viewOf(location)), "): ", error.what());
    }
  }
}

} // namespace llamarun
