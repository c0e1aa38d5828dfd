#include "runtime/train/BenchProgram.h"

#include "runtime/support/Error.h"
#include "runtime/train/CounterRandom.h"
#include "runtime/train/Elements.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace llamarun {

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void drawInputs(Session &session, const fb::Program &program,
                std::uint64_t seed, const Ranks &ranks) {
  const Plan &plan = session.plan();
  for (std::uint32_t i = 0; i < sizeOf(program.inputs()); ++i) {
    auto &binding = *program.inputs()->Get(i);
    auto name = viewOf(binding.name());
    auto dtype = plan.buffer(binding.buffer()).dtype();
    std::vector<double> values(plan.elements(binding.buffer()));
    if (name == "loss_scale") {
      values[0] = 1.0 / (static_cast<double>(program.tokens()) *
                         static_cast<double>(ranks.dataRanks()));
    } else if (name == "grid_index") {
      std::ranges::copy(ranks.gridIndex(), values.begin());
    } else if (name == "random") {
      values = {static_cast<double>(seed), 0};
    } else if (dtype == fb::DType::I32 || dtype == fb::DType::I64 ||
               dtype == fb::DType::U8) {
      fail(ExitCode::BadInput, plan.path(), ": input '", name, "' is ",
           nameOf(dtype), ", and what it may be is not known");
    } else {
      CounterRandom random(seed, "bench." + std::string(name));
      auto first = values.size() * ranks.dataRank();
      for (std::size_t at = 0; at < values.size(); ++at)
        values[at] = random.normal(first + at);
    }
    std::vector<std::byte> bytes(values.size() * sizeOf(dtype));
    encodeElements(dtype, values, bytes);
    session.writeInput(program, name, bytes);
  }
}

static double lossOf(Session &session, const fb::Program &program) {
  float loss = 0;
  session.readOutput(program, "loss",
                     std::as_writable_bytes(std::span(&loss, 1)));
  return static_cast<double>(loss);
}

const fb::Program *largestProgram(const Plan &plan) {
  const fb::Program *program = nullptr;
  for (std::size_t i = 0; i < plan.programCount(); ++i)
    if (auto &its = plan.program(i);
        its.kind() == fb::ProgramKind::Gradient &&
        (!program || its.tokens() > program->tokens()))
      program = &its;
  if (!program)
    fail(ExitCode::BadInput, plan.path(), ": has no program of its model");
  return program;
}

BenchResult benchProgram(Session &session, const Ranks &ranks,
                         std::uint64_t seed, const BenchOptions &options) {
  const Plan &plan = session.plan();
  auto *program = largestProgram(plan);
  BenchResult result;
  auto start = Clock::now();
  session.prepare(*program);
  session.synchronize();
  result.prepareSeconds = secondsSince(start);
  drawInputs(session, *program, seed, ranks);
  ranks.gather({});
  session.run(*program).wait();
  result.firstStepSeconds = secondsSinceProcessStart();
  result.firstLoss = lossOf(session, *program);

  ranks.gather({}); // all begin together
  start = Clock::now();
  auto seconds = session.timeRuns(*program, options.warmup, options.steps);
  auto runs =
      static_cast<double>(options.warmup) + static_cast<double>(options.steps);
  result.wallSeconds = secondsSince(start) / runs * options.steps;
  result.lastLoss = lossOf(session, *program);
  if (!std::isfinite(result.lastLoss))
    fail(ExitCode::Numerics, "loss is ", std::abs(result.lastLoss));

  std::uint64_t rows = std::uint64_t{program->tokens()} * options.steps;
  result.steps = options.steps;
  result.seconds = Percentiles::of(seconds);
  result.tokens = rows * ranks.dataRanks();
  result.samples =
      std::uint64_t{program->sequences()} * options.steps * ranks.dataRanks();
  result.bytes = static_cast<double>(program->bytes()) * options.steps;
  result.flops = static_cast<double>(program->flops()) * options.steps;
  result.commonest = program;
  auto all =
      ranks.gatherNumbers(std::array{result.seconds.p50, result.wallSeconds});
  for (std::size_t at = 0; at < all.size(); at += 2) {
    result.rankP50.push_back(all[at]);
    result.wallSeconds = std::max(result.wallSeconds, all[at + 1]);
  }
  BucketResult bucket;
  bucket.program = viewOf(program->name());
  bucket.bucket = program->tokens();
  bucket.steps = options.steps;
  bucket.tokens = rows;
  bucket.seconds = result.seconds;
  bucket.bytes = static_cast<double>(program->bytes());
  bucket.flops = static_cast<double>(program->flops());
  result.buckets.push_back(bucket);
  return result;
}

} // namespace llamarun
