// Programs of a Session: prepared, captured, or run step by step.
#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"
#include "runtime/executor/SessionSteps.h"
#include "runtime/support/Error.h"

#include <set>

namespace llamarun {

void Session::prepare(const fb::Program &program) {
  if (!options.debugSync)
    graphOf(program);
  else if (preparedSteps.insert(&program).second)
    prepareSteps(program);
}

void Session::prepareSteps(const fb::Program &program) {
  forEachStep(program, false, [](std::uint32_t, const StepContext &context) {
    executorOf(context.step.operation_type()).prepare(context);
  });
  theDevice->finishPreparation();
}

void Session::runStepByStep(const fb::Program &program) {
  if (preparedSteps.insert(&program).second)
    prepareSteps(program);
  forEachStep(program, true, [](std::uint32_t, const StepContext &context) {
    executorOf(context.step.operation_type()).enqueue(context);
    context.device.synchronize();
  });
}

Graph &Session::graphOf(const fb::Program &program) {
  auto &graph = graphs[&program];
  if (graph)
    return *graph;
  std::set<std::uint32_t> waited;
  for (auto *step : *program.steps())
    for (std::uint32_t j = 0; j < sizeOf(step->waits()); ++j)
      waited.insert(step->waits()->Get(j));

  prepareSteps(program);
  std::unordered_map<std::uint32_t, EventId> events;
  theDevice->beginCapture(program.streams());
  try {
    forEachStep(program, false,
                [&](std::uint32_t i, const StepContext &context) {
                  auto &step = context.step;
                  for (std::uint32_t j = 0; j < sizeOf(step.waits()); ++j)
                    theDevice->waitEvent(step.stream(),
                                         events.at(step.waits()->Get(j)));
                  executorOf(step.operation_type()).enqueue(context);
                  if (waited.count(i))
                    events[i] = theDevice->recordEvent(step.stream());
                });
  } catch (...) {
    // The device must not stay in capture, and what went wrong first counts.
    try {
      theDevice->endCapture();
    } catch (const Error &) {
    }
    throw;
  }
  graph = theDevice->endCapture();
  return *graph;
}

} // namespace llamarun
