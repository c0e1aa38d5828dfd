//===- gpu_rowwise.cpp - Generated row kernels on a GPU -------------------===//
//
// Runs the plan that bench/kernels/gpu_rowwise.py writes, program by program:
// checks a sample of rows against plain C++ (fresh random inputs, poisoned
// results), then times replays of the program's graph.
//
//   gpu_rowwise PLAN.fb [SEED]
//
// A table row: microseconds a launch, GB/s (inputs once, results once), ratio
// to the plan's own device copy, and the largest error relative to the result's
// magnitude, with the bound it must keep. Exit code 1 if one does not.
//
//===----------------------------------------------------------------------===//
#include "bench/kernels/gpu_rowwise_reference.h"

#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>

namespace llamarun::bench {
namespace {

constexpr std::uint64_t kPeriod = 8388593; // a prime: no row repeats another

/// Random numbers that all inputs are cut from, as f32 and as bf16.
struct Pool {
  std::vector<float> values;
  std::vector<std::uint16_t> narrow;
  explicit Pool(unsigned seed) : values(2 * kPeriod), narrow(2 * kPeriod) {
    std::mt19937 random(seed);
    for (std::uint64_t i = 0; i < kPeriod; ++i) {
      // Mostly near 0, some as large as 8.
      float u = static_cast<float>(random() >> 8) / (1 << 23) - 1.0f;
      float value = 8 * u * u * u;
      values[i] = values[i + kPeriod] = value;
      narrow[i] = narrow[i + kPeriod] = static_cast<std::uint16_t>(
          std::bit_cast<std::uint32_t>(
              static_cast<float>(roundToBf16(value))) >>
          16);
    }
  }
};

double widen(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

class Runner {
public:
  Runner(Session &session, unsigned seed)
      : session(session), pool(seed), random(seed + 1) {}

  /// False if a result is wrong.
  bool run(const fb::Program &program);

private:
  struct Operand {
    DeviceRange range;
    fb::DType dtype;
    std::vector<std::uint64_t> shape;
    std::vector<std::int32_t> integers;
    std::vector<float> few; // contents of small f32 inputs
    std::uint64_t start = 0;
    bool positive = false;
  };

  Operand operandOf(std::uint32_t buffer) {
    auto &b = session.plan().buffer(buffer);
    return {session.range(buffer),
            b.dtype(),
            {b.shape()->begin(), b.shape()->end()},
            {},
            {}};
  }
  static std::uint64_t sizeOfType(fb::DType dtype) {
    return dtype == fb::DType::BF16 ? 2 : 4;
  }
  void upload(Operand &operand, const std::string &name, std::uint64_t rows);
  Input inputOf(const Operand &operand);
  double check(const fb::Program &program, const std::string &name,
               std::uint64_t rows, std::uint64_t cols);
  double seconds(const fb::Program &program);

  Session &session;
  Pool pool;
  std::mt19937 random;
  /// Pointer -> what is there now.
  std::map<void *, std::pair<fb::DType, std::uint64_t>> uploaded;
  double copyRate = 0;
};

void Runner::upload(Operand &operand, const std::string &name,
                    std::uint64_t rows) {
  auto &device = session.device();
  auto bytes = operand.range.bytes;
  auto count = bytes / sizeOfType(operand.dtype);
  if (operand.dtype == fb::DType::I32) {
    bool labels = name.starts_with("cross_entropy") || name == "softmax_stats";
    for (std::uint64_t i = 0; i < count; ++i)
      operand.integers.push_back(
          labels ? static_cast<std::int32_t>(random() % 128256)
                 : static_cast<std::int32_t>((i * 7919 + 13) % rows));
    if (name != "gather")
      for (std::uint64_t i = 5; i < count; i += 97)
        operand.integers[i] = labels ? -100 : -1;
    device.copyToDevice(operand.range.pointer, operand.integers.data(), bytes);
    uploaded.erase(operand.range.pointer);
    return;
  }
  if (operand.dtype == fb::DType::F32 && count <= 16) {
    // Coefficients and scales: positive, not far from 1.
    for (std::uint64_t i = 0; i < count; ++i)
      operand.few.push_back(0.5f + static_cast<float>(random() % 1024) / 2048);
    device.copyToDevice(operand.range.pointer, operand.few.data(), bytes);
    uploaded.erase(operand.range.pointer);
    return;
  }
  // The same numbers for the same place.
  operand.start = reinterpret_cast<std::uintptr_t>(operand.range.pointer) /
                  (1 << 20) * 104729 % kPeriod;
  auto &[dtype, there] = uploaded[operand.range.pointer];
  if (dtype == operand.dtype && there >= bytes && !operand.positive)
    return;
  dtype = operand.dtype, there = operand.positive ? 0 : bytes;
  std::vector<float> magnitudes;
  if (operand.positive)
    for (float value : pool.values)
      magnitudes.push_back(std::abs(value));
  auto *source = operand.dtype == fb::DType::BF16
                     ? reinterpret_cast<const char *>(pool.narrow.data())
                 : operand.positive
                     ? reinterpret_cast<const char *>(magnitudes.data())
                     : reinterpret_cast<const char *>(pool.values.data());
  auto size = sizeOfType(operand.dtype);
  for (std::uint64_t i = 0; i < count; i += kPeriod)
    device.copyToDevice(static_cast<char *>(operand.range.pointer) + i * size,
                        source + operand.start * size,
                        std::min(kPeriod, count - i) * size);
}

Input Runner::inputOf(const Operand &operand) {
  if (!operand.integers.empty())
    return [&](std::uint64_t i) { return operand.integers[i]; };
  if (!operand.few.empty())
    return [&](std::uint64_t i) { return operand.few[i]; };
  return [this, &operand](std::uint64_t i) -> double {
    auto at = operand.start + i % kPeriod;
    if (operand.dtype == fb::DType::BF16)
      return widen(pool.narrow[at]);
    double value = pool.values[at];
    return operand.positive ? std::abs(value) : value;
  };
}

/// Largest error of a sample of rows, relative to magnitude and bound.
double Runner::check(const fb::Program &program, const std::string &name,
                     std::uint64_t rows, std::uint64_t cols) {
  auto &launch = *program.steps()->Get(0)->operation_as_Launch();
  std::vector<Operand> inputs, results;
  for (std::size_t i = 0; i < launch.reads()->size(); ++i) {
    Operand operand = operandOf(launch.reads()->Get(i));
    operand.positive = name == "adamw" && i == 3;
    inputs.push_back(std::move(operand));
  }
  for (auto &operand : inputs)
    upload(operand, name, rows);
  for (auto index : *launch.writes())
    results.push_back(operandOf(index));

  RowCase c;
  c.rows = rows, c.cols = cols, c.times = program.steps()->size();
  c.bf16 = inputs[0].dtype == fb::DType::BF16;
  for (auto &operand : inputs)
    c.in.push_back(inputOf(operand));
  Reference reference = findReference(name);
  if (!reference)
    fail(ExitCode::BadInput, "no reference for ", name);
  std::uint64_t work = name == "total" ? 1 : rows;
  std::set<std::uint64_t> sample{0, work - 1, work / 2};
  for (int i = 0; i < 5; ++i)
    sample.insert(random() % work);

  auto &device = session.device();
  std::vector<std::vector<RowResult>> expected;
  for (auto row : sample) {
    c.row = row;
    expected.push_back(reference(c));
    for (std::size_t j = 0; j < results.size(); ++j) {
      auto &part = expected.back()[j];
      auto size = sizeOfType(results[j].dtype);
      std::vector<char> poison(part.values.size() * size, char(0xff));
      char *target =
          static_cast<char *>(results[j].range.pointer) + part.first * size;
      // Not what is read as well.
      if (std::none_of(inputs.begin(), inputs.end(), [&](auto &input) {
            return input.range.pointer == results[j].range.pointer;
          }))
        device.copyToDevice(target, poison.data(), poison.size());
      uploaded.erase(results[j].range.pointer);
    }
  }
  session.run(program);
  session.synchronize();
  double worst = 0;
  for (auto &rowResults : expected)
    for (std::size_t j = 0; j < results.size(); ++j) {
      auto &part = rowResults[j];
      auto size = sizeOfType(results[j].dtype);
      std::vector<char> got(part.values.size() * size);
      device.copyFromDevice(got.data(),
                            static_cast<char *>(results[j].range.pointer) +
                                part.first * size,
                            got.size());
      double magnitude = 0;
      for (double value : part.values)
        magnitude += std::abs(value) / part.values.size();
      for (std::size_t i = 0; i < part.values.size(); ++i) {
        double value;
        if (size == 2) {
          std::uint16_t bits;
          std::memcpy(&bits, &got[i * 2], 2);
          value = widen(bits);
        } else {
          float bits;
          std::memcpy(&bits, &got[i * 4], 4);
          value = bits;
        }
        double bound = size == 2 ? 0x1p-7 : 4e-6;
        double size =
            part.sizes.empty() ? std::abs(part.values[i]) : part.sizes[i];
        double error =
            std::abs(value - part.values[i]) / (size + 0.1 * magnitude) / bound;
        if (value == part.values[i])
          continue;            // 0 in a row of zeros
        if (!(error <= worst)) // NaN, too
          worst = std::isnan(error) ? INFINITY : error;
      }
    }
  return worst;
}

/// Median of several batches of replays, of one launch.
double Runner::seconds(const fb::Program &program) {
  using Clock = std::chrono::steady_clock;
  unsigned launches = program.steps()->size();
  auto replay = [&](unsigned times) {
    auto start = Clock::now();
    for (unsigned i = 0; i < times; ++i)
      session.run(program);
    session.synchronize();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  double once = replay(2) / 2;
  auto times = static_cast<unsigned>(std::clamp(0.01 / once, 2.0, 100.0));
  std::vector<double> batches;
  for (int i = 0; i < 5; ++i)
    batches.push_back(replay(times) / times / launches);
  std::nth_element(batches.begin(), batches.begin() + 2, batches.end());
  return batches[2];
}

bool Runner::run(const fb::Program &program) {
  // <reference>_<columns>x<rows>
  std::string name = program.name()->str();
  auto cut = name.rfind('_');
  char *end = nullptr;
  auto cols = std::strtoull(name.c_str() + cut + 1, &end, 10);
  auto rows = std::strtoull(end + 1, nullptr, 10);
  name.resize(cut);
  auto &step = *program.steps()->Get(0);
  if (step.operation_type() == fb::Operation::Copy) {
    auto bytes = session.range(step.operation_as_Copy()->source()).bytes;
    copyRate = 2.0 * bytes / seconds(program);
    std::printf("device copy of %llu MiB: %.0f GB/s\n",
                static_cast<unsigned long long>(bytes >> 20), copyRate * 1e-9);
    return true;
  }
  double error = check(program, name, rows, cols);
  double time = seconds(program), bytes = 0;
  auto &launch = *step.operation_as_Launch();
  std::set<void *> counted;
  for (auto buffer : *launch.reads())
    if (auto range = session.range(buffer);
        counted.insert(range.pointer).second)
      bytes += name == "rope_split" && counted.size() == 1 ? rows * cols * 2
                                                           : range.bytes;
  for (auto buffer : *launch.writes())
    bytes += session.range(buffer).bytes;
  bool right = error <= 1;
  std::printf("%-18s %6llu x %-6llu %9.2f us %7.0f GB/s %5.2f of copy   grid "
              "%u x %u   error "
              "%.3f%s\n",
              name.c_str(), static_cast<unsigned long long>(rows),
              static_cast<unsigned long long>(cols), time * 1e6,
              bytes / time * 1e-9, bytes / time / copyRate, launch.grid_x(),
              launch.block_x(), error, right ? "" : " WRONG");
  std::fflush(stdout);
  return right;
}

} // namespace
} // namespace llamarun::bench

int main(int argc, char **argv) try {
  using namespace llamarun;
  if (argc < 2) {
    std::fprintf(stderr, "gpu_rowwise PLAN.fb [SEED]\n");
    return 2;
  }
  unsigned seed =
      argc > 2 ? std::strtoul(argv[2], nullptr, 10) : std::random_device{}();
  auto plan = Plan::load(argv[1]);
  Session session(plan, createDevice("cuda"));
  std::printf("%s, seed %u\n", session.device().name().c_str(), seed);
  // Activations are allocated for the largest program so far, and move.
  for (std::size_t i = 0; i < plan->programCount(); ++i)
    session.prepare(plan->program(i));
  bench::Runner runner(session, seed);
  bool right = true;
  for (std::size_t i = 0; i < plan->programCount(); ++i)
    right &= runner.run(plan->program(i));
  return right ? 0 : 1;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
