//===- TraceSamples.h - Traces of two ranks, made by hand ------*- C++ -*-===//
#pragma once

#include "runtime/trace/CollectiveLinks.h"
#include "runtime/trace/HostTrace.h"
#include "test/runtime/comm/CommPlan.h"

namespace llamarun::test {

/// Train program 0 on dp 1, tp 2: 0 fill, 1 gemm, 2 sum over tp, 3 copy on
/// stream 1.
inline PlanBuilder twoRankPlan() {
  auto builder = gridPlan(1, 2);
  auto x = builder.buffer(fb::Category::Activations, fb::DType::F32, {16, 8});
  auto y = builder.buffer(fb::Category::Activations, fb::DType::F32, {16, 2});
  auto z = builder.buffer(fb::Category::Activations, fb::DType::F32, {16, 2});
  auto w = builder.tensor(fb::Role::Weight, "model.w.weight", {2, 8});
  builder.plan.locations = {"a.mlir:3:7 layers.0 \"q\"", "loss"};
  auto &program = builder.program(fb::ProgramKind::Train, 16, 4);
  program.flops = 512;
  program.streams = 2;
  builder.step(program, fb::FillT{}).target = x;
  builder.step(program, PlanBuilder::linear(x, w, y, 16, 2, 8));
  collective(program, fb::CollectiveKind::AllReduceSum, {1}, y, y);
  auto &copy = builder.step(program, fb::CopyT{}, 1, {2});
  copy.source = y;
  copy.target = z;
  program.steps[2]->location = 1;
  return builder;
}

/// Two runs of 1000 us; in each (us): fill 10-110, gemm 110-510, sum 520-900
/// (rank 1: 720-900), copy 500-600 on stream 1, beside the sum.
inline RankTrace sampleTrace(unsigned rank) {
  RankTrace trace;
  trace.rank = rank;
  trace.host = "host";
  trace.device = "cpu, 2 threads";
  trace.source = "host clock";
  trace.pid = 100 + rank;
  trace.names = {"", "pack batch", "run"};
  for (std::uint32_t run = 0; run < 2; ++run) {
    std::int64_t at = 5'000'000 + 2'000'000 * std::int64_t{run};
    auto us = [&](std::int64_t n) { return at + 1000 * n; };
    trace.runs.push_back({0, run, 1e-3, us(0), us(1000)});
    std::int64_t sum = rank ? 720 : 520;
    auto add = [&](std::uint32_t step, std::int64_t from, std::int64_t to) {
      trace.steps.push_back({workTag(0, step), run, 0, 0, us(from), us(to)});
    };
    add(0, 10, 110);
    add(1, 110, 510);
    add(3, 500, 600);
    add(2, sum, 900);
    trace.pieces.push_back({workTag(0, 1), run, 1, 0, us(110), us(400)});
    trace.spans.push_back({1, 1, us(-50), us(-10)});
    trace.spans.push_back({0, 2, us(5), us(950)});
  }
  return trace;
}

} // namespace llamarun::test
