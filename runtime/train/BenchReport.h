//===- BenchReport.h - Benchmarks for people and programs ------*- C++ -*-===//
#pragma once

#include "runtime/train/Bench.h"

#include <cstdio>
#include <string>
#include <vector>

namespace llamarun {

/// What was measured where.
struct BenchContext {
  std::string device; ///< Device::name()
  std::string weights, lengths;
  Ceilings ceilings;                ///< zeros where not known
  double loadSeconds = 0;           ///< of the weights
  std::uint64_t allocatedBytes = 0; ///< by the session, as the device counts
  std::uint64_t usedBytes = 0;      ///< of the device, by all there is on it
};

void printBench(std::FILE *out, const Plan &plan, const BenchContext &context,
                const BenchResult &result);
/// The same as one JSON object, seconds as milliseconds where the key says so.
std::string benchJson(const Plan &plan, const BenchContext &context,
                      const BenchResult &result);

/// Steps of a program that are the same work: one kernel, or one shape of GEMM.
struct ProfileGroup {
  std::string what;
  std::size_t count = 0;
  double seconds = 0; ///< of all
  double bytes = 0;   ///< operands of all, each once a step
  double flops = 0;   ///< of all GEMMs
};

/// Groups Session::profile's times, the longest first.
std::vector<ProfileGroup> groupProfile(const Plan &plan,
                                       const fb::Program &program,
                                       const std::vector<double> &seconds);
void printProfile(std::FILE *out, const fb::Program &program,
                  const std::vector<ProfileGroup> &groups,
                  const Ceilings &ceilings);

} // namespace llamarun
