// Programs of a Session: prepared, captured, or run step by step.
#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"
#include "runtime/executor/SessionSteps.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <set>

namespace llamarun {

void Session::prepare(const fb::Program &program) {
  if (!options.debugSync)
    graphOf(program);
  else if (!preparedSteps.count(&program))
    prepareSteps(program);
}

/// Bytes of allocation `index` that the program's steps and bindings reach.
static std::uint64_t reachOf(const Plan &plan, const fb::Program &program,
                             std::uint32_t index) {
  std::uint64_t end = 0;
  auto visit = [&](std::uint32_t i) {
    auto &buffer = plan.buffer(i);
    if (buffer.allocation() == index)
      end = std::max(end, buffer.offset() + plan.rows(i).span());
  };
  auto visitAll = [&](const flatbuffers::Vector<std::uint32_t> *list) {
    for (std::uint32_t j = 0; j < sizeOf(list); ++j)
      visit(list->Get(j));
  };
  for (auto *bindings : {program.inputs(), program.outputs()})
    for (std::uint32_t j = 0; j < sizeOf(bindings); ++j)
      visit(bindings->Get(j)->buffer());
  for (auto *step : *program.steps()) {
    if (auto *gemm = step->operation_as_Gemm()) {
      visit(gemm->a());
      visit(gemm->b());
      visit(gemm->d());
    } else if (auto *launch = step->operation_as_Launch()) {
      visitAll(launch->reads());
      visitAll(launch->writes());
    } else if (auto *copy = step->operation_as_Copy()) {
      visit(copy->source());
      visit(copy->target());
    } else if (auto *fill = step->operation_as_Fill()) {
      visit(fill->target());
    } else if (auto *collective = step->operation_as_Collective()) {
      visit(collective->source());
      visit(collective->target());
    }
  }
  return end;
}

void Session::reserveActivations(const fb::Program &program) {
  for (std::uint32_t i = 0; i < thePlan->allocationCount(); ++i) {
    auto &allocation = thePlan->allocation(i);
    if (allocation.category() != fb::Category::Activations)
      continue;
    auto bytes = reachOf(*thePlan, program, i);
    if (allocations[i] && bytes <= activationBytes[i])
      continue;
    // What was captured has the old addresses.
    theDevice->synchronize();
    graphs.clear();
    preparedSteps.clear();
    if (allocations[i])
      release(allocations[i]);
    allocations[i] = nullptr;
    allocations[i] = allocate(i, bytes);
    activationBytes[i] = bytes;
  }
}

void Session::prepareSteps(const fb::Program &program) {
  reserveActivations(program);
  forEachStep(program, false, [](std::uint32_t, const StepContext &context) {
    executorOf(context.step.operation_type()).prepare(context);
  });
  theDevice->finishPreparation();
  preparedSteps.insert(&program);
}

void Session::runStepByStep(const fb::Program &program) {
  if (!preparedSteps.count(&program))
    prepareSteps(program);
  forEachStep(program, true, [](std::uint32_t, const StepContext &context) {
    executorOf(context.step.operation_type()).enqueue(context);
    context.device.synchronize();
  });
}

Graph &Session::graphOf(const fb::Program &program) {
  if (auto it = graphs.find(&program); it != graphs.end())
    return *it->second;
  std::set<std::uint32_t> waited;
  for (auto *step : *program.steps())
    for (std::uint32_t j = 0; j < sizeOf(step->waits()); ++j)
      waited.insert(step->waits()->Get(j));

  auto number = indexOf(program);
  prepareSteps(program); // may drop the other programs' graphs
  std::unordered_map<std::uint32_t, EventId> events;
  theDevice->beginCapture(program.streams());
  try {
    forEachStep(program, false,
                [&](std::uint32_t i, const StepContext &context) {
                  auto &step = context.step;
                  theDevice->tagWork(workTag(number, i));
                  for (std::uint32_t j = 0; j < sizeOf(step.waits()); ++j)
                    theDevice->waitEvent(step.stream(),
                                         events.at(step.waits()->Get(j)));
                  executorOf(step.operation_type()).enqueue(context);
                  if (waited.count(i))
                    events[i] = theDevice->recordEvent(step.stream());
                });
  } catch (...) {
    // The device must not stay in capture, and what went wrong first counts.
    theDevice->tagWork(kNoTag);
    try {
      theDevice->endCapture();
    } catch (const Error &) {
    }
    throw;
  }
  theDevice->tagWork(kNoTag);
  return *(graphs[&program] = theDevice->endCapture());
}

std::uint32_t Session::indexOf(const fb::Program &program) const {
  std::uint32_t i = 0;
  while (&thePlan->program(i) != &program)
    ++i;
  return i;
}

const std::string &Session::collectivesOf(const fb::Program &program) {
  auto [it, isNew] = collectiveTitles.try_emplace(&program);
  if (isNew)
    it->second = llamarun::collectivesOf(*thePlan, program);
  return it->second;
}

} // namespace llamarun
