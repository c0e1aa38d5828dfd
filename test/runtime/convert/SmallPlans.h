//===- SmallPlans.h - Plans of three tensors in any layout -----*- C++ -*-===//
#pragma once

#include "test/runtime/plan/PlanBuilder.h"

#include <string>
#include <vector>

namespace llamarun::test {

/// The layout dp x tp of these plans: tp splits the rows of "rows" and the
/// columns of "columns"; "whole" is whole.
struct SmallLayout {
  unsigned dp = 1, tp = 1;
};
struct SmallTensor {
  const char *name;
  PlanBuilder::Shape shape;
  int split; ///< dimension, or -1
};
inline const std::vector<SmallTensor> kSmallTensors = {
    {"rows", {8, 3}, 0}, {"columns", {3, 8}, 1}, {"whole", {5}, -1}};

inline void setGrid(std::vector<std::unique_ptr<fb::GridAxisT>> &grid,
                    SmallLayout layout) {
  for (auto [name, size] :
       {std::pair("dp", layout.dp), std::pair("tp", layout.tp)}) {
    grid.push_back(std::make_unique<fb::GridAxisT>());
    grid.back()->name = name;
    grid.back()->size = size;
  }
}

inline PlanBuilder::Shape localShape(const SmallTensor &tensor,
                                     SmallLayout layout) {
  auto shape = tensor.shape;
  if (tensor.split >= 0)
    shape[static_cast<std::size_t>(tensor.split)] /= layout.tp;
  return shape;
}

/// Says of the tensor that was added last how it is split.
inline void setSharding(fb::TensorT &tensor, const SmallTensor &of) {
  tensor.global_shape = of.shape;
  for (std::size_t d = 0; d < of.shape.size(); ++d) {
    tensor.sharding.push_back(std::make_unique<fb::DimShardingT>());
    if (static_cast<int>(d) == of.split)
      tensor.sharding.back()->axes = {1};
  }
}

/// A plan that trains (its program does nothing of use).
inline PlanBuilder trainingPlan(SmallLayout layout) {
  PlanBuilder b;
  b.plan.model_hash = "model";
  setGrid(b.plan.grid, layout);
  for (auto role : {fb::Role::Parameter, fb::Role::Gradient,
                    fb::Role::FirstMoment, fb::Role::SecondMoment}) {
    for (auto &tensor : kSmallTensors) {
      b.tensor(role, tensor.name, localShape(tensor, layout));
      setSharding(*b.plan.tensors.back(), tensor);
    }
    b.startAllocation(fb::Category::OptimizerState);
  }
  b.tensor(fb::Role::State, "optimizer.step", {1}, fb::DType::I64);
  auto x = b.buffer(fb::Category::Activations, fb::DType::F32, {4});
  auto &program = b.program(fb::ProgramKind::Train, 16, 4);
  b.step(program, fb::FillT{}).target = x;
  return b;
}

/// A plan that changes layouts, element by element: whatever llamac makes must
/// have the same effect.
inline PlanBuilder elementPlan(SmallLayout from, SmallLayout to) {
  using enum fb::Role;
  PlanBuilder b;
  b.plan.model_hash = "model";
  setGrid(b.plan.source_grid, from);
  setGrid(b.plan.target_grid, to);
  auto program = std::make_unique<fb::ProgramT>();
  program->name = "reshard";
  program->kind = fb::ProgramKind::Reshard;
  program->tokens = program->sequences = program->streams = 1;

  auto addPart = [&](fb::Role role, const SmallTensor &of, SmallLayout layout,
                     fb::Side side, std::uint32_t part, fb::DType dtype) {
    auto buffer = b.tensor(role, of.name, localShape(of, layout), dtype);
    fb::TensorT &tensor = *b.plan.tensors.back();
    setSharding(tensor, of);
    tensor.init->kind = fb::InitKind::Zero;
    tensor.side = side;
    tensor.part = part;
    return buffer;
  };
  struct Place {
    std::uint32_t buffer;
    std::uint64_t at;
  };
  auto placeOf = [](const SmallTensor &of, SmallLayout layout,
                    const std::vector<std::uint32_t> &parts, std::uint64_t i) {
    if (of.split < 0 || layout.tp == 1)
      return Place{parts[0], i};
    auto local = localShape(of, layout);
    std::uint64_t row = i / of.shape[1], column = i % of.shape[1];
    auto &index = of.split == 0 ? row : column;
    auto extent = local[static_cast<std::size_t>(of.split)];
    auto part = index / extent;
    index %= extent;
    return Place{parts[part], row * local[1] + column};
  };
  auto addTensor = [&](fb::Role role, const SmallTensor &of, fb::DType dtype) {
    std::vector<std::uint32_t> parts[2];
    for (int side : {0, 1}) {
      auto layout = side ? to : from;
      for (std::uint32_t p = 0; p < (of.split < 0 ? 1 : layout.tp); ++p)
        parts[side].push_back(
            addPart(role, of, layout,
                    side ? fb::Side::Target : fb::Side::Source, p, dtype));
    }
    std::uint64_t count = 1;
    for (auto extent : of.shape)
      count *= extent;
    auto element = [&](Place place) {
      auto &buffer = *b.plan.buffers[place.buffer];
      auto allocation = buffer.allocation;
      auto offset = buffer.offset + place.at * sizeOf(dtype);
      return b.view(allocation, offset, dtype, {1});
    };
    for (std::uint64_t i = 0; i < count; ++i) {
      auto source = element(placeOf(of, from, parts[0], i));
      auto target = element(placeOf(of, to, parts[1], i));
      auto &copy = b.step(*program, fb::CopyT{});
      copy.source = source;
      copy.target = target;
    }
  };
  for (auto role : {Parameter, FirstMoment, SecondMoment}) {
    // An allocation of each role, so that offsets are equal.
    for (auto &tensor : kSmallTensors)
      addTensor(role, tensor, fb::DType::F32);
    b.startAllocation(fb::Category::OptimizerState);
  }
  addTensor(State, {"optimizer.step", {1}, -1}, fb::DType::I64);
  b.plan.programs.push_back(std::move(program));
  return b;
}

} // namespace llamarun::test
