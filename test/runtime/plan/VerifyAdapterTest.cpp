// Plans with AdaLoRA: one that is good, and one broken one for each check.
#include "runtime/plan/Inspect.h"
#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <sstream>

using namespace llamarun;
using namespace llamarun::test;

namespace {

/// One module of rank 3 with everything a training plan needs.
PlanBuilder adaLoraPlan() {
  PlanBuilder b = smallPlan();
  auto &adapter = *b.plan.adapter;
  adapter.kind = "adalora";
  adapter.rank = 3;
  adapter.alpha = 8;
  adapter.modules = {"m"};
  adapter.adalora = std::make_unique<fb::AdaLoraT>();
  adapter.adalora->target_rank = 1;
  adapter.adalora->tinit = 2;
  adapter.adalora->tfinal = 4;
  adapter.adalora->delta_t = 3;
  adapter.adalora->beta1 = 0.85;
  adapter.adalora->beta2 = 0.8;
  adapter.adalora->orth_reg_weight = 0.5;
  const std::pair<const char *, PlanBuilder::Shape> factors[] = {
      {"m.lora_A", {3, 8}}, {"m.lora_E", {3, 1}}, {"m.lora_B", {16, 3}}};
  for (auto &[name, shape] : factors) {
    // parameter() puts moments at offset 0.
    b.startAllocation(fb::Category::Parameters);
    b.startAllocation(fb::Category::Gradients);
    b.parameter(name, shape);
    b.tensor(fb::Role::Sensitivity, name, shape);
    b.tensor(fb::Role::Uncertainty, name, shape);
  }
  b.tensor(fb::Role::State, "adalora.kept", {1, 3});
  b.plan.tensors.back()->init->kind = fb::InitKind::Value;
  b.plan.tensors.back()->init->a = 1;
  auto &train = *b.plan.programs[0];
  PlanBuilder::bind(train.inputs, "adalora",
                    b.buffer(fb::Category::Inputs, fb::DType::I64, {2}));
  PlanBuilder::bind(train.outputs, "task_loss",
                    b.buffer(fb::Category::Outputs, fb::DType::F32, {1}));
  PlanBuilder::bind(train.outputs, "kept",
                    b.buffer(fb::Category::Outputs, fb::DType::F32, {1, 3}));
  PlanBuilder::bind(b.plan.programs[1]->outputs, "regulariser",
                    b.buffer(fb::Category::Outputs, fb::DType::F32, {1}));
  return b;
}

fb::TensorT &named(PlanBuilder &b, fb::Role role, const std::string &name) {
  for (auto &tensor : b.plan.tensors)
    if (tensor->role == role && tensor->name == name)
      return *tensor;
  throw std::logic_error("no such tensor");
}

struct Damage {
  const char *name;
  const char *message; ///< part of the error
  std::function<void(PlanBuilder &)> apply;
};
void PrintTo(const Damage &damage, std::ostream *out) { *out << damage.name; }

fb::AdaLoraT &schedule(PlanBuilder &b) { return *b.plan.adapter->adalora; }

const Damage kDamages[] = {
    {"KindAlone", "kind 'adalora' without",
     [](auto &b) { b.plan.adapter->adalora.reset(); }},
    {"ScheduleAlone", "kind 'lora' with AdaLoRA's",
     [](auto &b) { b.plan.adapter->kind = "lora"; }},
    {"Rank", "init_r is 0", [](auto &b) { b.plan.adapter->rank = 0; }},
    {"Target", "target_r 4 is above init_r 3",
     [](auto &b) { schedule(b).target_rank = 4; }},
    {"Beta1", "beta1 is 1", [](auto &b) { schedule(b).beta1 = 1; }},
    {"Beta2", "beta2 is nan",
     [](auto &b) {
       schedule(b).beta2 = std::numeric_limits<double>::quiet_NaN();
     }},
    {"Weight", "orth_reg_weight is inf",
     [](auto &b) {
       schedule(b).orth_reg_weight = std::numeric_limits<double>::infinity();
     }},
    {"DeltaT", "deltaT is 0", [](auto &b) { schedule(b).delta_t = 0; }},
    {"Huge", "tfinal is 18446744073709551615",
     [](auto &b) { schedule(b).tfinal = ~std::uint64_t{0}; }},
    {"TotalStep", "tinit 2 is not below total_step 6",
     [](auto &b) { schedule(b).total_step = 6; }},
    {"TotalBelowFinal", "is not below total_step 3",
     [](auto &b) { schedule(b).total_step = 3; }},
    {"NoModules", "no modules",
     [](auto &b) { b.plan.adapter->modules.clear(); }},
    {"Rslora", "are LoRA's",
     [](auto &b) { b.plan.adapter->use_rslora = true; }},
    {"NoFactor", "parameter 'm.lora_E' is missing",
     [](auto &b) {
       std::erase_if(b.plan.tensors,
                     [](auto &t) { return t->name == "m.lora_E"; });
     }},
    {"NoAverage", "uncertainty 'm.lora_B' is missing",
     [](auto &b) {
       std::erase_if(b.plan.tensors, [](auto &t) {
         return t->role == fb::Role::Uncertainty && t->name == "m.lora_B";
       });
     }},
    {"AverageShape", "its sensitivity is f32 [8, 3] instead of f32 [3, 8]",
     [](auto &b) {
       auto &tensor = named(b, fb::Role::Sensitivity, "m.lora_A");
       tensor.global_shape = {8, 3};
       b.plan.buffers[tensor.buffer]->shape = {8, 3};
     }},
    {"AverageOfNothing", "uncertainty of something that is no parameter",
     [](auto &b) { b.tensor(fb::Role::Uncertainty, "x", {1}); }},
    {"AverageBegins", "average must begin as zero",
     [](auto &b) {
       named(b, fb::Role::Sensitivity, "m.lora_A").init->kind =
           fb::InitKind::Normal;
     }},
    {"FactorShape", "'m.lora_A' has shape [3, 8] instead of [2, ?]",
     [](auto &b) { b.plan.adapter->rank = 2; }},
    {"NoKept", "state 'adalora.kept' is missing",
     [](auto &b) { b.plan.tensors.pop_back(); }},
    {"KeptShape", "'adalora.kept' has shape [1, 3] instead of [2, 3]",
     [](auto &b) { b.plan.adapter->modules.push_back("m"); }},
    {"KeptDtype", "must be f32 and whole",
     [](auto &b) {
       b.plan.buffers[b.plan.tensors.back()->buffer]->dtype = fb::DType::I32;
     }},
    {"NoInput", "input 'adalora' is missing",
     [](auto &b) { b.plan.programs[0]->inputs.pop_back(); }},
    {"NoTaskLoss", "output 'task_loss' is missing",
     [](auto &b) {
       std::erase_if(b.plan.programs[0]->outputs,
                     [](auto &o) { return o->name == "task_loss"; });
     }},
    {"NoMask", "output 'kept' is missing",
     [](auto &b) { b.plan.programs[0]->outputs.pop_back(); }},
};

TEST(VerifyAdapter, AcceptsAdaLora) {
  auto plan = adaLoraPlan().load();
  EXPECT_EQ(plan->adapter().adalora()->delta_t(), 3u);
  EXPECT_TRUE(plan->findTensor(fb::Role::Uncertainty, "m.lora_E"));
}

TEST(VerifyAdapter, InspectShowsTheSchedule) {
  auto plan = adaLoraPlan().load();
  std::ostringstream out;
  inspect(*plan, out);
  EXPECT_NE(out.str().find("target_r=1 tinit=2 tfinal=4 deltaT=3 beta1=0.85 "
                           "beta2=0.8 orth_reg_weight=0.5 total_step=0"),
            std::string::npos)
      << out.str();
  EXPECT_NE(inspectJson(*plan).find("\"deltaT\""), std::string::npos);
}

TEST(VerifyAdapter, TotalStepMayBeLeftOpenOrJustEnough) {
  for (std::uint64_t total : {0, 7}) {
    auto b = adaLoraPlan();
    schedule(b).total_step = total;
    EXPECT_NO_THROW(b.load()) << total;
  }
}

TEST(VerifyAdapter, PlansThatOnlyEvaluateNeedNoAverages) {
  auto b = adaLoraPlan();
  b.plan.programs.erase(b.plan.programs.begin());
  std::erase_if(b.plan.tensors, [](auto &t) {
    return t->role == fb::Role::Sensitivity ||
           t->role == fb::Role::Uncertainty || t->role == fb::Role::State;
  });
  EXPECT_NO_THROW(b.load());
}

class DamagedAdapter : public testing::TestWithParam<Damage> {};

TEST_P(DamagedAdapter, IsRefused) {
  auto b = adaLoraPlan();
  GetParam().apply(b);
  try {
    b.load();
    FAIL() << "accepted";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::BadInput);
    EXPECT_NE(std::string(error.what()).find(GetParam().message),
              std::string::npos)
        << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(VerifyAdapter, DamagedAdapter,
                         testing::ValuesIn(kDamages),
                         [](auto &info) { return info.param.name; });

} // namespace
