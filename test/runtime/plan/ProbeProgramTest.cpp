// Programs that look at a model: outputs that others do not have.
#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

/// Of 16 tokens, 4 sequences; its only step gives the loss.
PlanBuilder probePlan() {
  using enum fb::DType;
  PlanBuilder b;
  auto program = std::make_unique<fb::ProgramT>();
  program->name = "probe_16";
  program->kind = fb::ProgramKind::Probe;
  program->tokens = 16;
  program->sequences = 4;
  auto input = [&](const char *name, fb::DType dtype, PlanBuilder::Shape s) {
    auto index = b.buffer(fb::Category::Inputs, dtype, s);
    PlanBuilder::bind(program->inputs, name, index);
    return index;
  };
  input("input_ids", I32, {16});
  input("positions", I32, {16});
  input("cu_seqlens", I32, {5});
  input("labels", I32, {4});
  auto scale = input("loss_scale", F32, {1});
  auto output = [&](const char *name, PlanBuilder::Shape s) {
    auto index = b.buffer(fb::Category::Outputs, F32, s);
    PlanBuilder::bind(program->outputs, name, index);
    return index;
  };
  auto loss = output("loss", {1});
  output("m.q_proj:input", {16, 4});
  output("m.q_proj:output", {16, 4});
  output("m.q_proj:output_gradient", {16, 4});
  output("m.q_proj:weight_gradient", {3});
  auto &copy = PlanBuilder::step(*program, fb::CopyT{});
  copy.source = scale;
  copy.target = loss;
  b.plan.programs.push_back(std::move(program));
  return b;
}

void expectRefused(const PlanBuilder &builder, const std::string &message) {
  try {
    builder.load();
    FAIL() << "accepted";
  } catch (const Error &error) {
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
        << error.what();
  }
}

auto &outputs(PlanBuilder &b) { return b.plan.programs[0]->outputs; }

TEST(ProbeProgram, NamesItsOutputsByModuleAndPart) {
  auto plan = probePlan().load();
  EXPECT_TRUE(plan->find(fb::ProgramKind::Probe, 16, 4));
  EXPECT_FALSE(plan->find(fb::ProgramKind::Evaluate, 1));
  EXPECT_STREQ(nameOf(fb::ProgramKind::Probe), "probe");
}

TEST(ProbeProgram, OtherNamesAndShapesAreRefused) {
  for (const char *name :
       {"m.q_proj:median", "m.q_proj", ":input", "logits", "grad_norm"}) {
    auto b = probePlan();
    outputs(b)[1]->name = name;
    expectRefused(b, std::string("unknown output '") + name + "'");
  }
  auto b = probePlan();
  outputs(b)[4]->name = "m.k_proj:input";
  expectRefused(b, "output 'm.k_proj:input' is f32 [3] instead of f32 [16, 4]");
  b = probePlan();
  outputs(b)[1]->name = "m.k_proj:weight_gradient";
  expectRefused(b, "instead of f32 [3]");
  b = probePlan();
  outputs(b)[2]->name = "m.q_proj:input";
  expectRefused(b, "is bound twice");
  b = probePlan();
  outputs(b).erase(outputs(b).begin());
  b.plan.programs[0]->steps.clear();
  expectRefused(b, "output 'loss' is missing");
}

TEST(ProbeProgram, NeedsLabels) {
  auto b = probePlan();
  auto &inputs = b.plan.programs[0]->inputs;
  inputs.erase(inputs.begin() + 3);
  expectRefused(b, "input 'labels' is missing");
}

} // namespace
