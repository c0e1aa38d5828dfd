// Inputs and outputs of a Session's runs: staged on the host, copied by the
// device beside the host's work.
#include "runtime/comm/Communicator.h"
#include "runtime/executor/Session.h"

#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace llamarun {

// Runs the host may be ahead by: one that executes, one that waits, and the one
// whose inputs are being written. Runs that a caller holds come on top.
static constexpr std::size_t kSlots = 3;

static bool hasBinding(const Bindings *bindings, std::string_view name) {
  for (std::uint32_t i = 0; i < sizeOf(bindings); ++i)
    if (viewOf(bindings->Get(i)->name()) == name)
      return true;
  return false;
}

bool Session::hasInput(const fb::Program &program,
                       std::string_view name) const {
  return hasBinding(program.inputs(), name);
}
bool Session::hasOutput(const fb::Program &program,
                        std::string_view name) const {
  return hasBinding(program.outputs(), name);
}

const Session::Layouts &Session::layoutsOf(const fb::Program &program) {
  auto found = layouts.find(&program);
  if (found == layouts.end()) {
    auto where = [this](std::size_t i) { return range(i); };
    found =
        layouts
            .emplace(&program, Layouts{{*thePlan, program.inputs(), where},
                                       {*thePlan, program.outputs(), where}})
            .first;
  }
  return found->second;
}

/// The value of that name, which must exist and have `bytes`.
static const StagingLayout::Value &
valueOf(const StagingLayout &layout, const fb::Program &program,
        const char *side, std::string_view name, std::uint64_t bytes) {
  auto i = layout.find(name);
  if (i == layout.values.size())
    fail(ExitCode::BadInput, "program '", viewOf(program.name()), "' has no ",
         side, " '", printable(name), "'");
  auto &value = layout.values[i];
  if (value.device.bytes != bytes)
    fail(ExitCode::BadInput, "program '", viewOf(program.name()), "': ", side,
         " '", printable(name), "' has ", value.device.bytes, " bytes, not ",
         bytes);
  return value;
}

/// The slot that holds the inputs of the next run of `program`.
RunSlot &Session::slotFor(const fb::Program &program) {
  if (current && current->program == &program)
    return *current;
  if (current) // written for another program, whose memory this may share
    uploadInputs(*current);
  current = nullptr;
  // The oldest that nobody needs. The last run's is kept for readOutput.
  auto free = std::find_if(slots.begin(), slots.end(), [this](auto &slot) {
    return slot.use_count() == 1 && slot.get() != last;
  });
  if (slots.size() < kSlots || free == slots.end()) {
    std::uint64_t in = 0, out = 0;
    for (std::size_t i = 0; i < thePlan->programCount(); ++i) {
      auto &its = layoutsOf(thePlan->program(i));
      in = std::max(in, its.inputs.bytes);
      out = std::max(out, its.outputs.bytes);
    }
    slots.push_back(std::make_shared<RunSlot>(*theDevice, in, out));
  } else {
    std::rotate(free, free + 1, slots.end());
    waitFor(*slots.back()->done); // it may be under way still
  }
  current = slots.back().get();
  current->program = &program;
  current->launched = false;
  current->written.assign(layoutsOf(program).inputs.values.size(), false);
  if (theHostTrace)
    theHostTrace->runBegins();
  theDevice->record(*current->begin, 0);
  return *current;
}

void Session::writeInput(const fb::Program &program, std::string_view name,
                         std::span<const std::byte> bytes) {
  auto &layout = layoutsOf(program).inputs;
  auto &value = valueOf(layout, program, "input", name, bytes.size());
  RunSlot &slot = slotFor(program);
  std::memcpy(slot.inputs.at(value.at), bytes.data(), bytes.size());
  slot.written[layout.find(name)] = true;
}

void Session::uploadInputs(RunSlot &slot) {
  HostSpan span(theHostTrace, HostLane::Main, "send inputs");
  auto &layout = layoutsOf(*slot.program).inputs;
  auto send = [&](DeviceRange device, std::uint64_t at) {
    theDevice->enqueueRowsToDevice(device.pointer, device.bytes,
                                   slot.inputs.at(at), device.bytes, 1);
  };
  for (auto &group : layout.groups) {
    auto written = slot.written.begin();
    auto from = written + static_cast<std::ptrdiff_t>(group.first),
         to = written + static_cast<std::ptrdiff_t>(group.last);
    if (std::find(from, to, false) == to) {
      send(group.device, group.at);
      continue;
    }
    // What was not written stays on the device as it is.
    for (auto i = group.first; i < group.last; ++i)
      if (slot.written[i])
        send(layout.values[i].device, layout.values[i].at);
  }
  slot.written.assign(slot.written.size(), false);
  theDevice->record(*slot.done, 0);
}

PendingRun Session::run(const fb::Program &program) {
  Graph *graph = options.debugSync ? nullptr : &graphOf(program);
  RunSlot &slot = slotFor(program);
  uploadInputs(slot);
  if (graph && options.communicators && theDevice->isAsynchronous() &&
      !collectivesOf(program).empty())
    options.communicators->launched(collectivesOf(program));
  {
    HostSpan span(theHostTrace, HostLane::Main,
                  theDevice->isAsynchronous() ? "launch" : "run");
    if (graph)
      theDevice->run(*graph);
    else
      runStepByStep(program);
  }
  for (auto &group : layoutsOf(program).outputs.groups)
    theDevice->enqueueFromDevice(slot.outputs.at(group.at),
                                 group.device.pointer, group.device.bytes);
  theDevice->record(*slot.done, 0);
  if (theHostTrace)
    theHostTrace->ran(indexOf(program));
  slot.launched = true;
  current = nullptr;
  last = &slot;
  return {*this, slots.back()};
}

void Session::readOutput(const fb::Program &program, std::string_view name,
                         std::span<std::byte> bytes) {
  if (last && last->program == &program) {
    PendingRun(*this,
               *std::find_if(slots.begin(), slots.end(),
                             [this](auto &s) { return s.get() == last; }))
        .read(name, bytes);
    return;
  }
  auto &value = valueOf(layoutsOf(program).outputs, program, "output", name,
                        bytes.size());
  theDevice->copyFromDevice(bytes.data(), value.device.pointer, bytes.size());
}

// How often a lost peer is looked for: the last kernel may wait for it, and not
// all of NCCL's kernels can be ended.
static constexpr auto kLook = std::chrono::microseconds(20);

void Session::waitFor(Mark &mark) {
  HostSpan span(theDevice->isAsynchronous() ? theHostTrace : nullptr,
                HostLane::Main, "wait");
  auto *communicators = options.communicators;
  if (!communicators || !theDevice->isAsynchronous())
    return theDevice->wait(mark);
  try {
    while (!theDevice->isReached(mark)) {
      communicators->check();
      std::this_thread::sleep_for(kLook);
    }
    communicators->check();
  } catch (const Error &) {
    // What a peer should have sent never comes; or the device is broken, which
    // may be a peer's doing.
    theDevice->abandon();
    communicators->explain();
    throw;
  }
}

void PendingRun::wait() const {
  try {
    session->waitFor(*slot->done);
  } catch (const Error &error) {
    fail(error.code(), session->thePlan->path(), ": program '",
         viewOf(slot->program->name()),
         "' failed on the device: ", error.what(),
         session->options.debugSync ? "" : "; --debug-sync finds the step");
  }
}

void PendingRun::read(std::string_view name, std::span<std::byte> bytes) const {
  auto &value = valueOf(session->layoutsOf(*slot->program).outputs,
                        *slot->program, "output", name, bytes.size());
  wait();
  std::memcpy(bytes.data(), slot->outputs.at(value.at), bytes.size());
}

double PendingRun::seconds() const {
  wait();
  return session->theDevice->secondsBetween(*slot->begin, *slot->done);
}

} // namespace llamarun
