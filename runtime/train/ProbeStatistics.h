//===- ProbeStatistics.h - What probes add up to ---------------*- C++ -*-===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace llamarun {

/// Moments of a set of numbers, in float64. Sets are joined as Chan, Golub and
/// LeVeque (1979) do: differences of means, never of sums of squares.
struct Moments {
  double count = 0;
  double mean = 0;
  double squares = 0; ///< sum of squared deviations from the mean
  double largest = 0; ///< max |x|
  double zeros = 0;   ///< how many |x| are at most the threshold

  void add(const Moments &other);
  /// One row of an `llm.probe`: {mean, squares, largest, zeros} of `columns`
  /// numbers.
  void addRow(std::span<const float, 4> row, double columns);

  double deviation() const; ///< of the population
  double rms() const;
  double sparsity() const { return count > 0 ? zeros / count : 0; }
};

/// A weight W and its gradients G, one a batch: sums over batches of numbers of
/// one batch.
struct WeightMoments {
  double batches = 0;
  double norm = 0;        ///< of |G|_F
  double sensitivity = 0; ///< of mean |W G|
  double weightNorm = 0;  ///< |W|_F, the same in all batches

  void add(const WeightMoments &other);
};

/// One linear layer.
struct ProbedModule {
  std::string name; ///< "model.layers.0.self_attn.q_proj"
  std::uint64_t out = 0, in = 0;
  Moments input, output, outputGradient;
  WeightMoments weight;

  void add(const ProbedModule &other);
};

/// The moments of modules as bytes, for another rank, and back. \throws
/// Error(PeerLost) if there are too few.
std::string packProbes(const std::vector<ProbedModule> &modules);
void unpackProbes(std::string_view bytes, std::vector<ProbedModule> &modules);

/// The members of one module in probe.json (docs/probes.md).
std::string probeJson(const ProbedModule &module);

/// The module and part of which a number is not finite, or nothing.
std::string notFinite(const std::vector<ProbedModule> &modules);

} // namespace llamarun
