//===- Session.h - One plan on one device ----------------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/device/Device.h"
#include "runtime/executor/Staging.h"
#include "runtime/plan/Plan.h"
#include "runtime/trace/HostTrace.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace llamarun {

class Session;
struct StepContext;

struct SessionOptions {
  /// Who runs collectives: not owned, and only plans for one device do without.
  Communicators *communicators = nullptr;
  /// Run programs step by step, not as a graph, and wait for each step: an
  /// error of the device then names the step it came from. Slow.
  bool debugSync = false;
};

/// A run whose outputs may be read while later runs are under way; they are
/// kept as long as the object lives. Must not outlive its session.
class PendingRun {
public:
  PendingRun() = default;
  /// Waits for the run. \throws Error(BadInput) that names the program if the
  /// device failed.
  void wait() const;
  /// Waits for the run, then reads a whole output of it.
  void read(std::string_view name, std::span<std::byte> bytes) const;
  /// By the device's clock, from its first input to its last output, or from
  /// the end of the run before it if that is later. Waits.
  double seconds() const;

private:
  friend class Session;
  PendingRun(Session &session, std::shared_ptr<RunSlot> slot)
      : session(&session), slot(std::move(slot)) {}
  Session *session = nullptr;
  std::shared_ptr<RunSlot> slot;
};

/// Owns the memory of a plan on a device and runs its programs. Knows nothing
/// of training: weights, batches and files are its caller's.
///
///   Session session(plan, createDevice(plan->target().kind()->str()));
///   session.writeTensor(fb::Role::Weight, "score.weight", bytes);
///   auto *p = session.find(fb::ProgramKind::Train, tokens, batch);
///   session.writeInput(*p, "input_ids", bytes); // every input, every run
///   PendingRun run = session.run(*p);
///   run.read("loss", bytes);                    // now or some runs later
class Session {
public:
  /// Allocates exactly the plan's allocations, uploads Data tensors from the
  /// plan's constants, leaves everything else zero and loads the code.
  /// \throws Error(BadInput) when the plan is for another target or grid,
  /// Error(DoesNotFit) with the largest allocations when memory is short.
  Session(std::shared_ptr<const Plan> plan, std::unique_ptr<Device> device,
          const SessionOptions &options = {});
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  const Plan &plan() const { return *thePlan; }
  Device &device() { return *theDevice; }

  // --- persistent tensors ---------------------------------------------------
  /// All tensors of the plan: plan().tensor(i); their local shape and dtype are
  /// in plan().buffer(tensor.buffer()).
  std::size_t tensorCount() const { return thePlan->tensorCount(); }

  /// Writes `bytes` at byte `offset` of a tensor's local, row-major elements
  /// in the buffer's dtype, one after another whatever the buffer's pitch.
  /// Without an offset the sizes must be equal.
  /// \throws Error(BadInput) that names the tensor for an unknown one, a wrong
  /// size or a range outside.
  void writeTensor(fb::Role role, std::string_view name,
                   std::span<const std::byte> bytes);
  void writeTensorPart(fb::Role role, std::string_view name,
                       std::span<const std::byte> bytes, std::uint64_t offset);
  /// The same as work of the device: `bytes` is staging memory that must stay
  /// as it is until the copy is done (Device::record, wait).
  void enqueueTensorPart(const fb::Tensor &tensor,
                         std::span<const std::byte> bytes,
                         std::uint64_t offset);
  /// Reads a whole tensor; `bytes` has its size.
  void readTensor(fb::Role role, std::string_view name,
                  std::span<std::byte> bytes);

  /// Whole tensors as they are now, one after another as readTensor() has them,
  /// to be read beside the steps. Null as Device::snapshot.
  std::unique_ptr<Snapshot>
  snapshot(std::span<const fb::Tensor *const> tensors);

  // --- programs -------------------------------------------------------------
  /// The smallest program of `kind` for `tokens` packed tokens of `sequences`
  /// sequences, or null if the plan has none that big.
  const fb::Program *find(fb::ProgramKind kind, std::uint64_t tokens,
                          std::uint64_t sequences = 1) const {
    return thePlan->find(kind, tokens, sequences);
  }

  /// Writes a whole input for the next run; waits for nothing unless several
  /// runs are already under way. Inputs of programs may share memory: write all
  /// of a program's inputs before each run.
  void writeInput(const fb::Program &program, std::string_view name,
                  std::span<const std::byte> bytes);
  bool hasInput(const fb::Program &program, std::string_view name) const;
  bool hasOutput(const fb::Program &program, std::string_view name) const;

  /// Captures a program so that the first run() costs no more than the others.
  /// Tunes its GEMMs, if the device does that.
  void prepare(const fb::Program &program);
  /// Runs a program; on an asynchronous device it may still run on return.
  PendingRun run(const fb::Program &program);
  /// Waits for the program's last run, then reads a whole output.
  void readOutput(const fb::Program &program, std::string_view name,
                  std::span<std::byte> bytes);
  void synchronize() { theDevice->synchronize(); }
  bool debugSync() const { return options.debugSync; }

  /// Seconds of each step of a program by itself: the median over `repeats`
  /// runs in which every step waits for the one before it. The runs are real:
  /// they read the inputs as they are and change what the program changes.
  std::vector<double> profile(const fb::Program &program, unsigned repeats);
  /// Seconds of each of `repeats` runs, put in one behind the other after
  /// `warmup` others: from the end of the run before it to its own, by the
  /// device's clock. Inputs are what the device has; outputs stay there
  /// (readOutput).
  std::vector<double> timeRuns(const fb::Program &program, unsigned warmup,
                               unsigned repeats);

  /// Tells `trace` what the host does from now on; null: nobody. Not owned.
  void traceHost(HostTrace *trace) { theHostTrace = trace; }
  HostTrace *hostTrace() const { return theHostTrace; }
  /// Of a program of the plan: its place there, as in workTag().
  std::uint32_t indexOf(const fb::Program &program) const;

  /// Bytes really allocated, as the device counts them; inspect and --report
  /// predict the same numbers from the plan.
  std::uint64_t allocatedBytes(fb::Category category) const {
    return theDevice->allocatedBytes(category);
  }

  /// The device memory of buffer `i` of the plan, from its first byte to its
  /// last: with a pitch, gaps between rows included.
  DeviceRange range(std::size_t i) const;

private:
  std::shared_ptr<const Plan> thePlan;
  std::unique_ptr<Device> theDevice;
  std::vector<void *> allocations; ///< activations: null before they are used
  /// By allocation: whose collectives touch it.
  std::vector<std::vector<CommunicatorKey>> sharers;
  std::unordered_map<std::uint32_t, std::uint64_t> activationBytes;
  std::vector<KernelHandle> kernels;
  // By the program's address in the plan.
  std::unordered_map<const fb::Program *, std::unique_ptr<Graph>> graphs;
  std::unordered_set<const fb::Program *> preparedSteps;
  std::unordered_map<const fb::Program *, std::string> collectiveTitles;
  SessionOptions options;
  HostTrace *theHostTrace = nullptr;
  struct Layouts {
    StagingLayout inputs, outputs;
  };
  std::unordered_map<const fb::Program *, Layouts> layouts;
  std::vector<std::shared_ptr<RunSlot>> slots; ///< the one used last at the end
  RunSlot *current = nullptr; ///< inputs are being written to it
  RunSlot *last = nullptr;    ///< of the last run

  void checkMemory() const;
  void allocateAll();
  void *allocate(std::uint32_t index, std::uint64_t bytes);
  void release(void *pointer);
  /// Activations are as large as the largest program that was prepared: a plan
  /// has programs for the longest batches that there might be.
  void reserveActivations(const fb::Program &program);
  void releaseAll();
  void loadCode();
  void uploadConstants();
  const fb::Tensor &tensor(fb::Role role, std::string_view name) const;
  void checkPart(const fb::Tensor &tensor, std::uint64_t bytes,
                 std::uint64_t offset) const;
  const Layouts &layoutsOf(const fb::Program &program);
  RunSlot &slotFor(const fb::Program &program);
  void uploadInputs(RunSlot &slot);
  void waitFor(Mark &mark);
  Graph &graphOf(const fb::Program &program);
  void prepareSteps(const fb::Program &program);
  void runStepByStep(const fb::Program &program);
  const std::string &collectivesOf(const fb::Program &program);
  template <typename Action>
  void forEachStep(const fb::Program &program, bool oneStream, Action &&action);
  friend class PendingRun;
};

} // namespace llamarun
