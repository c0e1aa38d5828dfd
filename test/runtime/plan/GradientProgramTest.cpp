// Programs that a model file brought: what they may do that others may not.
#include "runtime/plan/Inspect.h"
#include "runtime/support/Error.h"
#include "test/runtime/plan/GradientPlan.h"

#include <gtest/gtest.h>
#include <sstream>

using namespace llamarun;
using namespace llamarun::test;

namespace {

void expectRefused(const PlanBuilder &builder, const std::string &message) {
  try {
    builder.load();
    FAIL() << "accepted";
  } catch (const Error &error) {
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
        << error.what();
  }
}

fb::TensorT &gradient(PlanBuilder &b) { return *b.plan.tensors[1]; }

TEST(GradientProgram, NeedsNoDecoderNorTask) {
  auto plan = gradientPlan().load();
  EXPECT_TRUE(plan->find(fb::ProgramKind::Gradient, 6, 6));
  EXPECT_FALSE(plan->find(fb::ProgramKind::Train, 1));
  std::ostringstream out;
  inspect(*plan, out);
  EXPECT_NE(out.str().find("gradient"), std::string::npos) << out.str();
  EXPECT_EQ(out.str().find("vocabulary"), std::string::npos) << out.str();
  EXPECT_EQ(out.str().find("task"), std::string::npos) << out.str();
}

TEST(GradientProgram, BesideOthersTheDecoderIsNeeded) {
  auto b = gradientPlan();
  b.plan.task->labels = 2;
  b.program(fb::ProgramKind::Evaluate, 16, 4);
  expectRefused(b, "hidden_size is 0");
}

TEST(GradientProgram, ItsNamesAreItsOwnButForTheKnownOnes) {
  auto b = gradientPlan();
  b.plan.programs[0]->inputs[1]->name = "scale";
  EXPECT_NO_THROW(b.load()); // an input of its own
  b = gradientPlan();
  b.plan.buffers[3]->dtype = fb::DType::I32;
  b.plan.programs[0]->steps.erase(b.plan.programs[0]->steps.begin());
  expectRefused(b, "input 'loss_scale' is i32 [1] instead of f32 [1]");
  b = gradientPlan();
  b.plan.programs[0]->outputs[1]->name = "loss";
  expectRefused(b, "output 'loss' is bound twice");
  b = gradientPlan();
  b.plan.programs[0]->outputs.erase(b.plan.programs[0]->outputs.begin());
  expectRefused(b, "output 'loss' is missing");
  b = gradientPlan();
  b.plan.programs[0]->inputs[0]->buffer =
      b.plan.programs[0]->outputs[1]->buffer;
  expectRefused(b, "input 'x' lies in an allocation for outputs");
  b = gradientPlan();
  b.plan.programs[0]->inputs[1]->buffer = 99;
  expectRefused(b, "loss_scale");
}

TEST(GradientProgram, ParametersHaveGradientsAndNoMoments) {
  auto b = gradientPlan();
  gradient(b).name = "v";
  expectRefused(b, "gradient of something that is no parameter");
  b = gradientPlan();
  b.plan.tensors.erase(b.plan.tensors.begin() + 1);
  expectRefused(b, "a parameter without gradient");
}

} // namespace
