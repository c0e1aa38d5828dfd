//===- Executors.h - From a step of the plan to device work ----*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/device/Device.h"
#include "runtime/plan/Plan.h"

#include <span>
#include <string>
#include <vector>

namespace llamarun {

class Session;

/// What an executor may look at.
struct StepContext {
  const Session &session;
  const Plan &plan;
  Device &device;
  Communicators *communicators;          ///< may be null
  std::span<const KernelHandle> kernels; ///< by index in the plan
  const fb::Program &program;
  const fb::Step &step;
  std::uint32_t index; ///< of the step in the program
  StreamId stream;     ///< the step's, or another one
};

/// How one kind of operation runs. `prepare` is called outside capture, before
/// any step of the program is captured (it may time algorithms); `enqueue`
/// puts the work on the step's stream.
struct Executor {
  fb::Operation operation;
  void (*prepare)(const StepContext &context);
  void (*enqueue)(const StepContext &context);
};

/// The executor of an operation; a new kind is one line in Executors.cpp and
/// one file that defines its entry below.
const Executor &executorOf(fb::Operation operation);

/// What is under way when a program's graph runs: "plan.fb: program 'train_64',
/// one of 127 collectives from step 9 (...) to step 700 (...)"; empty if it has
/// none that leave the device.
std::string collectivesOf(const Plan &plan, const fb::Program &program);

/// Of a launch that sums a read: what its kernel is told of the collective
/// before it.
KernelSum kernelSumOf(const StepContext &context);

extern const Executor gemmExecutor;
extern const Executor launchExecutor;
extern const Executor copyExecutor;
extern const Executor fillExecutor;
extern const Executor collectiveExecutor;

} // namespace llamarun
