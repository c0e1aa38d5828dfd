//===- CommPlan.h - Plans that hold collectives ----------------*- C++ -*-===//
#pragma once

#include "test/runtime/plan/PlanBuilder.h"

namespace llamarun::test {

/// A plan for a grid of axes "dp", "tp" of these sizes.
inline PlanBuilder gridPlan(unsigned dp, unsigned tp,
                            const std::string &kind = "cpu") {
  PlanBuilder builder(kind);
  for (auto [name, size] : {std::pair("dp", dp), std::pair("tp", tp)}) {
    auto axis = std::make_unique<fb::GridAxisT>();
    axis->name = name;
    axis->size = size;
    builder.plan.grid.push_back(std::move(axis));
  }
  return builder;
}

/// Appends a collective to a program.
inline fb::CollectiveT &collective(fb::ProgramT &program,
                                   fb::CollectiveKind kind,
                                   std::vector<std::uint8_t> axes,
                                   std::uint32_t source, std::uint32_t target,
                                   std::uint16_t stream = 0,
                                   std::vector<std::uint32_t> waits = {}) {
  auto &op =
      PlanBuilder::step(program, fb::CollectiveT{}, stream, std::move(waits));
  op.kind = kind;
  op.axes = std::move(axes);
  op.source = source;
  op.target = target;
  return op;
}

} // namespace llamarun::test
