//===- Bench.h - How long real training steps take -------------*- C++ -*-===//
#pragma once

#include "runtime/trace/Ceilings.h"
#include "runtime/train/ProgramRunner.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamarun {

/// Lengths of made-up sentences.
struct LengthModel {
  std::uint32_t fixed = 0; ///< tokens of each; 0: as SST-2's
  /// "sst2-like", "fixed:2048". \throws Error(Usage).
  static LengthModel parse(const std::string &text);
};

/// `count` sequences of random tokens with labels that suit the plan. SST-2's
/// lengths are log-normal, exp(N(2.25, 0.75)) cut to [3, 66]; no sequence is
/// longer than the plan keeps. A function of (plan's task, lengths, seed).
Dataset makeSyntheticData(const Plan &plan, const LengthModel &lengths,
                          std::size_t count, std::uint64_t seed);

/// Looks on while steps are timed.
class BenchWatch {
public:
  virtual ~BenchWatch() = default;
  /// Before the programs are prepared, and before the first timed step.
  virtual void prepares() {}
  virtual void begins() {}
  /// Before timed step `step` is put in, and after it is done.
  virtual void starts(std::uint32_t step) {}
  virtual void finished(std::uint32_t step, const PendingStep &done) {}
};

struct BenchOptions {
  std::uint32_t steps = 50, warmup = 8;
  Hyper hyper; ///< totalSteps is filled in
  /// Steps that are put in before the first of them is waited for, where the
  /// device works by itself.
  unsigned ahead = 1;
  BenchWatch *watch = nullptr; ///< not owned
};

/// Percentiles of seconds (nearest rank).
struct Percentiles {
  double p50 = 0, p95 = 0, p99 = 0, mean = 0;
  static Percentiles of(std::vector<double> seconds);
};

/// Measures both on the device of a session: a copy of 1 GiB and a product of
/// 8192^3 in bf16 on a GPU, smaller ones in f32 on a CPU. Takes memory beyond
/// the plan's while it runs. \throws Error(DoesNotFit).
Ceilings measureCeilings(Device &device);

struct BucketResult {
  std::string program; ///< of the step's last micro-batch
  std::uint32_t bucket = 0, steps = 0;
  std::uint64_t tokens = 0;    ///< real ones of all its steps, this rank's
  Percentiles seconds;         ///< of a step
  double bytes = 0, flops = 0; ///< of a step, mean
};

struct BenchResult {
  std::uint32_t steps = 0;
  std::uint64_t tokens = 0, samples = 0; ///< of all ranks
  Percentiles seconds;         ///< of a step, by this rank's device's clock
  double wallSeconds = 0;      ///< of all steps, on the rank that took longest
  std::vector<double> rankP50; ///< by rank: p50 of a step
  double prepareSeconds = 0;   ///< tuning and capture of the programs used
  double firstStepSeconds = 0; ///< since the process started
  double bytes = 0, flops = 0; ///< of all steps, as the programs say
  double firstLoss = 0, lastLoss = 0;
  std::vector<BucketResult> buckets; ///< by rising size
  const fb::Program *commonest = nullptr;
};

/// Trains on fresh batches of `data`, in order: warm-up steps, one of every
/// program that will be used among them, then timed ones. The host is one step
/// ahead, as in training. All ranks of a grid call it with the same data.
/// \throws Error(BadInput) if there are too few examples, Error(Numerics).
BenchResult benchTraining(Session &session, ProgramRunner &runner,
                          const Dataset &data, const BenchOptions &options);

/// Seconds since this process was started.
double secondsSinceProcessStart();

} // namespace llamarun
