// What the plan says of its adapter, and the tensors that AdaLoRA needs.
#include "runtime/plan/VerifyContext.h"

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llamarun::verify {
namespace {

constexpr std::uint64_t kMostRank = 1 << 20;
constexpr std::uint64_t kMostSteps = 1ull << 52; // exact as a double

template <typename Strings>
void checkStrings(const Context &context, const Strings *strings,
                  const char *what) {
  for (std::size_t i = 0; i < sizeOf(strings); ++i)
    checkName(context, strings->Get(i), what);
}

void checkPatterns(
    const Context &context,
    const flatbuffers::Vector<flatbuffers::Offset<fb::Pattern>> *patterns,
    const char *what) {
  for (std::size_t i = 0; i < sizeOf(patterns); ++i) {
    checkName(context, patterns->Get(i)->key(), what);
    context.require(std::isfinite(patterns->Get(i)->value()), what,
                    " has a value that is not finite");
  }
}

/// PEFT's own checks (tuners/adalora/config.py, layer.py), and what would make
/// it fail later: a target above the initial rank, allocations every 0 steps.
void checkAdaLora(const Context &context, const fb::Adapter &adapter) {
  auto &a = *adapter.adalora();
  auto rank = adapter.rank();
  context.require(rank >= 1 && rank <= kMostRank, "adalora: init_r is ", rank);
  context.require(a.target_rank() <= rank, "adalora: target_r ",
                  a.target_rank(), " is above init_r ", rank);
  for (auto [what, beta] :
       {std::pair("beta1", a.beta1()), std::pair("beta2", a.beta2())})
    context.require(beta > 0 && beta < 1, "adalora: ", what, " is ", beta,
                    ", it must lie between 0 and 1");
  context.require(a.orth_reg_weight() >= 0 &&
                      std::isfinite(a.orth_reg_weight()),
                  "adalora: orth_reg_weight is ", a.orth_reg_weight());
  context.require(a.delta_t() >= 1, "adalora: deltaT is 0");
  for (auto [what, steps] :
       {std::pair("tinit", a.tinit()), std::pair("tfinal", a.tfinal()),
        std::pair("deltaT", a.delta_t()),
        std::pair("total_step", a.total_step())})
    context.require(steps <= kMostSteps, "adalora: ", what, " is ", steps);
  context.require(a.total_step() == 0 ||
                      (a.tfinal() < a.total_step() &&
                       a.tinit() < a.total_step() - a.tfinal()),
                  "adalora: tinit ", a.tinit(), " is not below total_step ",
                  a.total_step(), " less tfinal ", a.tfinal());
  context.require(sizeOf(adapter.modules()) > 0, "adalora: no modules");
  context.require(!adapter.use_rslora() &&
                      sizeOf(adapter.rank_pattern()) == 0 &&
                      sizeOf(adapter.alpha_pattern()) == 0,
                  "adalora: use_rslora and patterns are LoRA's");
}

using Tensors =
    std::map<std::pair<fb::Role, std::string_view>, const fb::Tensor *>;

const fb::Tensor &need(const Context &context, const Tensors &tensors,
                       fb::Role role, const std::string &name) {
  auto found = tensors.find({role, name});
  context.require(found != tensors.end(), "adalora: ", nameOf(role), " '", name,
                  "' is missing");
  return *found->second;
}

void requireShape(const Context &context, const fb::Tensor &tensor,
                  std::vector<std::optional<std::uint64_t>> shape) {
  auto *found = tensor.global_shape();
  bool same = sizeOf(found) == shape.size();
  for (std::uint32_t d = 0; same && d < shape.size(); ++d)
    same = !shape[d] || found->Get(d) == *shape[d];
  std::string text;
  for (auto extent : shape)
    text += (text.empty() ? "" : ", ") +
            (extent ? std::to_string(*extent) : std::string("?"));
  context.require(same, "adalora: ", nameOf(tensor.role()), " '",
                  viewOf(tensor.name()), "' has shape ", show(found),
                  " instead of [", text, "]");
}

} // namespace

void checkAdapter(const Context &context) {
  auto *adapter = context.plan.adapter();
  context.require(adapter, "no adapter");
  auto kind = checkName(context, adapter->kind(), "adapter kind");
  context.require(std::isfinite(adapter->alpha()) && adapter->dropout() >= 0 &&
                      adapter->dropout() < 1,
                  "adapter: bad alpha or dropout");
  checkStrings(context, adapter->targets(), "adapter target");
  checkStrings(context, adapter->modules(), "adapter module");
  checkPatterns(context, adapter->rank_pattern(), "adapter rank pattern");
  checkPatterns(context, adapter->alpha_pattern(), "adapter alpha pattern");
  context.require((kind == "adalora") == (adapter->adalora() != nullptr),
                  "adapter: kind '", kind, "' ",
                  adapter->adalora() ? "with" : "without",
                  " AdaLoRA's schedule");
  if (adapter->adalora())
    checkAdaLora(context, *adapter);
}

void checkAdapterTensors(Context &context) {
  auto &plan = context.plan;
  auto &adapter = *plan.adapter();
  bool trains = false;
  for (std::size_t i = 0; i < sizeOf(plan.programs()); ++i)
    trains |= plan.programs()->Get(i)->kind() == fb::ProgramKind::Train;
  if (!adapter.adalora() || !trains)
    return;
  Tensors tensors;
  for (std::size_t i = 0; i < sizeOf(plan.tensors()); ++i)
    tensors[{plan.tensors()->Get(i)->role(),
             viewOf(plan.tensors()->Get(i)->name())}] = plan.tensors()->Get(i);
  std::uint64_t r = adapter.rank();
  for (auto *module : *adapter.modules()) {
    std::string name(viewOf(module));
    requireShape(context,
                 need(context, tensors, fb::Role::Parameter, name + ".lora_A"),
                 {r, std::nullopt});
    requireShape(context,
                 need(context, tensors, fb::Role::Parameter, name + ".lora_E"),
                 {r, 1});
    requireShape(context,
                 need(context, tensors, fb::Role::Parameter, name + ".lora_B"),
                 {std::nullopt, r});
    // Their shapes are the parameters': checkTensors().
    for (auto role : {fb::Role::Sensitivity, fb::Role::Uncertainty})
      for (const char *factor : {".lora_A", ".lora_E", ".lora_B"})
        need(context, tensors, role, name + factor);
  }
  auto &kept = need(context, tensors, fb::Role::State, "adalora.kept");
  requireShape(context, kept, {sizeOf(adapter.modules()), r});
  auto *local = context.buffer(kept.buffer()).shape();
  context.require(context.buffer(kept.buffer()).dtype() == fb::DType::F32 &&
                      show(local) == show(kept.global_shape()),
                  "adalora: state 'adalora.kept' must be f32 and whole on "
                  "every rank");
}

} // namespace llamarun::verify
