// Where a program's time goes: each step, or each run, between two marks.
#include "runtime/executor/SessionSteps.h"

#include <algorithm>

namespace llamarun {

std::vector<double> Session::profile(const fb::Program &program,
                                     unsigned repeats) {
  prepareSteps(program);
  std::size_t count = program.steps()->size();
  std::vector<std::unique_ptr<Mark>> marks;
  for (std::size_t i = 0; i <= count; ++i)
    marks.push_back(theDevice->makeMark());
  auto enqueueAll = [&] {
    forEachStep(program, true,
                [&](std::uint32_t i, const StepContext &context) {
                  theDevice->record(*marks[i], 0);
                  executorOf(context.step.operation_type()).enqueue(context);
                });
    theDevice->record(*marks[count], 0);
  };
  // As a graph where work is asynchronous: put in one by one, short kernels
  // would be waited for by the device, and the host be timed.
  std::unique_ptr<Graph> graph;
  if (theDevice->isAsynchronous()) {
    theDevice->beginCapture(1);
    try {
      enqueueAll();
    } catch (...) {
      theDevice->endCapture();
      throw;
    }
    graph = theDevice->endCapture();
  }
  std::vector<std::vector<double>> times(count);
  for (unsigned run = 0; run <= repeats; ++run) {
    if (graph)
      theDevice->run(*graph);
    else
      enqueueAll();
    theDevice->synchronize();
    if (run) // the first one warms up
      for (std::size_t i = 0; i < count; ++i)
        times[i].push_back(theDevice->secondsBetween(*marks[i], *marks[i + 1]));
  }
  std::vector<double> medians;
  for (auto &samples : times) {
    std::sort(samples.begin(), samples.end());
    medians.push_back(samples.empty() ? 0 : samples[samples.size() / 2]);
  }
  return medians;
}

std::vector<double> Session::timeRuns(const fb::Program &program,
                                      unsigned warmup, unsigned repeats) {
  Graph *graph = options.debugSync ? nullptr : &graphOf(program);
  if (current) // inputs written and not yet on the device
    uploadInputs(*current);
  current = nullptr;
  last = nullptr;
  if (graph && options.communicators && theDevice->isAsynchronous() &&
      !collectivesOf(program).empty())
    options.communicators->launched(collectivesOf(program));
  std::vector<std::unique_ptr<Mark>> marks;
  for (unsigned i = 0; i <= repeats; ++i)
    marks.push_back(theDevice->makeMark());
  for (unsigned i = 0; i < warmup + repeats; ++i) {
    if (i == warmup)
      theDevice->record(*marks[0], 0);
    if (graph)
      theDevice->run(*graph);
    else
      runStepByStep(program);
    if (i >= warmup)
      theDevice->record(*marks[i - warmup + 1], 0);
  }
  waitFor(*marks.back());
  std::vector<double> seconds;
  for (unsigned i = 0; i < repeats; ++i)
    seconds.push_back(theDevice->secondsBetween(*marks[i], *marks[i + 1]));
  return seconds;
}

} // namespace llamarun
