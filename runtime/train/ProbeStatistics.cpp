#include "runtime/train/ProbeStatistics.h"

#include "runtime/support/Error.h"
#include "runtime/train/MetricsLog.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace llamarun {

void Moments::add(const Moments &other) {
  if (other.count == 0)
    return;
  double all = count + other.count, off = other.mean - mean;
  mean += off * (other.count / all);
  squares += other.squares + off * off * (count * other.count / all);
  count = all;
  // A NaN stays.
  if (!(other.largest <= largest))
    largest = other.largest;
  zeros += other.zeros;
}

void Moments::addRow(std::span<const float, 4> row, double columns) {
  add({columns, row[0], row[1], row[2], row[3]});
}

double Moments::deviation() const {
  return count > 0 ? std::sqrt(squares / count) : 0;
}

double Moments::rms() const {
  return count > 0 ? std::sqrt(mean * mean + squares / count) : 0;
}

void WeightMoments::add(const WeightMoments &other) {
  batches += other.batches;
  norm += other.norm;
  sensitivity += other.sensitivity;
  if (other.batches > 0)
    weightNorm = other.weightNorm;
}

void ProbedModule::add(const ProbedModule &other) {
  input.add(other.input);
  output.add(other.output);
  outputGradient.add(other.outputGradient);
  weight.add(other.weight);
}

static std::vector<double *> numbersOf(ProbedModule &m) {
  std::vector<double *> all;
  for (Moments *part : {&m.input, &m.output, &m.outputGradient})
    for (double *x : {&part->count, &part->mean, &part->squares, &part->largest,
                      &part->zeros})
      all.push_back(x);
  for (double *x : {&m.weight.batches, &m.weight.norm, &m.weight.sensitivity,
                    &m.weight.weightNorm})
    all.push_back(x);
  return all;
}

std::string packProbes(const std::vector<ProbedModule> &modules) {
  std::string bytes;
  for (ProbedModule module : modules)
    for (double *number : numbersOf(module))
      bytes.append(reinterpret_cast<const char *>(number), sizeof *number);
  return bytes;
}

void unpackProbes(std::string_view bytes, std::vector<ProbedModule> &modules) {
  for (ProbedModule &module : modules)
    for (double *number : numbersOf(module)) {
      if (bytes.size() < sizeof *number)
        fail(ExitCode::PeerLost, "a rank sent too little of its probes");
      std::memcpy(number, bytes.data(), sizeof *number);
      bytes.remove_prefix(sizeof *number);
    }
}

static std::string json(const Moments &m) {
  return JsonLine()
      .add("count", static_cast<std::uint64_t>(m.count))
      .add("mean", m.mean)
      .add("std", m.deviation())
      .add("rms", m.rms())
      .add("max_abs", m.largest)
      .add("sparsity", m.sparsity())
      .str();
}

std::string probeJson(const ProbedModule &m) {
  JsonLine line;
  line.addRaw("input", json(m.input)).addRaw("output", json(m.output));
  if (m.outputGradient.count > 0)
    line.addRaw("output_gradient", json(m.outputGradient));
  std::string shape = "[";
  shape += std::to_string(m.out) + ", " + std::to_string(m.in) + "]";
  JsonLine weight;
  weight.addRaw("shape", shape);
  if (m.weight.batches > 0) {
    weight.add("norm", m.weight.weightNorm);
    double norm = m.weight.norm / m.weight.batches;
    JsonLine gradient;
    gradient.add("norm", norm);
    if (m.weight.weightNorm > 0)
      gradient.add("relative_norm", norm / m.weight.weightNorm);
    gradient.add("sensitivity", m.weight.sensitivity / m.weight.batches);
    line.addRaw("weight", weight.str())
        .addRaw("weight_gradient", gradient.str());
  } else {
    line.addRaw("weight", weight.str());
  }
  return line.str();
}

std::string notFinite(const std::vector<ProbedModule> &modules) {
  static constexpr const char *kParts[] = {
      "input", "output", "gradient of the output", "gradient of the weight"};
  for (ProbedModule module : modules) {
    auto numbers = numbersOf(module);
    auto bad = std::ranges::find_if(
        numbers, [](const double *x) { return !std::isfinite(*x); });
    if (bad != numbers.end())
      return module.name + ", " + kParts[(bad - numbers.begin()) / 5];
  }
  return {};
}

} // namespace llamarun
