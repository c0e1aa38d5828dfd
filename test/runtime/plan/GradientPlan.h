//===- GradientPlan.h - A plan of a model's own program --------*- C++ -*-===//
#pragma once

#include "test/runtime/plan/PlanBuilder.h"

namespace llamarun::test {

/// Of 6 rows, without decoder or task: y = x w^T, the gradient of w is y^T x,
/// loss = loss_scale.
inline PlanBuilder gradientPlan() {
  using enum fb::DType;
  PlanBuilder b;
  b.plan.model = std::make_unique<fb::ModelT>();
  b.plan.model->name = "own";
  b.plan.task = std::make_unique<fb::TaskT>();
  b.plan.task->name = "none";
  auto w = b.tensor(fb::Role::Parameter, "w", {4, 3});
  auto g = b.tensor(fb::Role::Gradient, "w", {4, 3});
  auto program = std::make_unique<fb::ProgramT>();
  program->name = "own";
  program->kind = fb::ProgramKind::Gradient;
  program->tokens = 6;
  program->sequences = 6;
  auto x = b.buffer(fb::Category::Inputs, F32, {6, 3});
  auto scale = b.buffer(fb::Category::Inputs, F32, {1});
  auto loss = b.buffer(fb::Category::Outputs, F32, {1});
  auto y = b.buffer(fb::Category::Outputs, F32, {6, 4});
  PlanBuilder::bind(program->inputs, "x", x);
  PlanBuilder::bind(program->inputs, "loss_scale", scale);
  PlanBuilder::bind(program->outputs, "loss", loss);
  PlanBuilder::bind(program->outputs, "y", y);
  auto &copy = PlanBuilder::step(*program, fb::CopyT{});
  copy.source = scale;
  copy.target = loss;
  PlanBuilder::step(*program, PlanBuilder::linear(x, w, y, 6, 4, 3));
  auto &gradient = PlanBuilder::step(*program, fb::GemmT{});
  gradient.a = y;
  gradient.b = x;
  gradient.d = g;
  gradient.transpose_a = true;
  gradient.m = gradient.lda = 4;
  gradient.n = gradient.ldb = gradient.ldd = 3;
  gradient.k = 6;
  b.plan.programs.push_back(std::move(program));
  return b;
}

} // namespace llamarun::test
