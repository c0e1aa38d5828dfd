//===- StreamOrder.cpp - What must be done before what --------------------===//
#include "passes/memory/StreamOrder.h"

using namespace llamac;

void StreamOrder::enter(plan::StepOpInterface step) {
  stream = static_cast<unsigned>(step.getStepStream());
  Clock &clock = known[stream];
  for (int64_t wait : step.getStepWaits()) {
    for (unsigned other = 0; other < clock.size(); ++other)
      clock[other] = std::max(clock[other], at[wait][other]);
    clock[streamOf[wait]] = std::max(clock[streamOf[wait]], wait);
  }
  streamOf.push_back(stream);
  clock[stream] = current();
  at.push_back(clock);
}

int64_t llamac::joinOf(llvm::ArrayRef<plan::StepOpInterface> steps,
                       int64_t index) {
  uint64_t stream = plan::StepOpInterface(steps[index]).getStepStream();
  for (size_t i = index + 1; i < steps.size(); ++i) {
    plan::StepOpInterface step = steps[i];
    if (step.getStepStream() != 0)
      continue;
    for (int64_t wait : step.getStepWaits())
      if (wait >= index &&
          plan::StepOpInterface(steps[wait]).getStepStream() == stream)
        return static_cast<int64_t>(i);
  }
  return static_cast<int64_t>(steps.size());
}
