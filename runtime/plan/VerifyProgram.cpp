// Programs: their names, and the inputs and outputs that docs/plan.md promises.
#include "runtime/plan/VerifyContext.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace llamarun::verify {
namespace {

struct Value {
  const char *name;
  fb::DType dtype;
  std::vector<std::uint64_t> shape;
};

/// The table of inputs in docs/plan.md for one program.
std::vector<Value> inputsOf(const Context &context,
                            const fb::Program &program) {
  if (program.kind() == fb::ProgramKind::Reshard)
    return {};
  std::uint64_t t = program.tokens(), b = program.sequences();
  std::uint64_t axes = sizeOf(context.plan.grid());
  using enum fb::DType;
  if (program.kind() == fb::ProgramKind::Gradient)
    return {{"loss_scale", F32, {1}},
            {"random", I64, {2}},
            {"grid_index", I32, {axes}}};
  auto head = context.plan.task()->head();
  Value labels{"labels", I32, {b}};
  if (head == fb::Head::Regression)
    labels.dtype = F32;
  if (head == fb::Head::CausalLM)
    labels.shape = {t};
  return {{"input_ids", I32, {t}},      {"positions", I32, {t}},
          {"cu_seqlens", I32, {b + 1}}, {"last_token", I32, {b}},
          {"pool_index", I32, {t}},     labels,
          {"loss_scale", F32, {1}},     {"hyper", F64, {8}},
          {"random", I64, {2}},         {"grid_index", I32, {axes}},
          {"adalora", I64, {2}}};
}

/// Outputs that a Probe program may have: four for each of a model's layers.
constexpr std::size_t kMaxProbes = 8192;

/// "<module>:<part>" for every part that is probed (docs/probes.md).
std::vector<Value> probesOf(const Context &context,
                            const fb::Program &program) {
  context.require(sizeOf(program.outputs()) <= kMaxProbes, "too many outputs");
  std::vector<Value> values{{"loss", fb::DType::F32, {1}}};
  for (std::size_t i = 0; i < sizeOf(program.outputs()); ++i) {
    auto *name = program.outputs()->Get(static_cast<unsigned>(i))->name();
    std::string_view text = checkName(context, name, "binding name");
    if (text == "loss")
      continue;
    auto colon = text.rfind(':');
    auto part = colon == text.npos || colon == 0 ? std::string_view()
                                                 : text.substr(colon + 1);
    if (part == "input" || part == "output" || part == "output_gradient")
      values.push_back({name->c_str(), fb::DType::F32, {program.tokens(), 4}});
    else if (part == "weight_gradient")
      values.push_back({name->c_str(), fb::DType::F32, {3}});
    else
      context.require(false, "unknown output '", text, "'");
  }
  return values;
}

std::vector<Value> outputsOf(const Context &context,
                             const fb::Program &program) {
  if (program.kind() == fb::ProgramKind::Probe)
    return probesOf(context, program);
  if (program.kind() == fb::ProgramKind::Reshard)
    return {};
  using enum fb::DType;
  if (program.kind() == fb::ProgramKind::Gradient)
    return {{"loss", F32, {1}}};
  auto *task = context.plan.task();
  std::uint64_t width = task->head() == fb::Head::CausalLM
                            ? context.plan.model()->vocab_size()
                            : task->labels();
  return {{"loss", F32, {1}},
          {"logits", F32, {program.sequences(), width}},
          {"grad_norm", F32, {1}},
          {"learning_rate", F32, {1}},
          {"task_loss", F32, {1}},
          {"regulariser", F32, {1}},
          {"kept",
           F32,
           {sizeOf(context.plan.adapter()->modules()),
            context.plan.adapter()->rank()}}};
}

std::vector<std::string_view> requiredInputs(fb::ProgramKind kind) {
  switch (kind) {
  case fb::ProgramKind::Train:
    return {"input_ids", "positions",  "cu_seqlens",
            "labels",    "loss_scale", "hyper"};
  case fb::ProgramKind::Accumulate:
  case fb::ProgramKind::Probe:
    return {"input_ids", "positions", "cu_seqlens", "labels", "loss_scale"};
  case fb::ProgramKind::Reshard:
  case fb::ProgramKind::Gradient:
    return {};
  case fb::ProgramKind::Evaluate:
    break;
  }
  return {"input_ids", "positions", "cu_seqlens"};
}

/// Whether a plan's adapter needs what other adapters do not have.
bool isAdaLora(const Context &context) {
  return context.plan.adapter()->adalora() != nullptr;
}

std::vector<std::string_view> requiredOutputs(fb::ProgramKind kind) {
  switch (kind) {
  case fb::ProgramKind::Train:
    return {"loss", "grad_norm", "learning_rate"};
  case fb::ProgramKind::Accumulate:
  case fb::ProgramKind::Gradient:
  case fb::ProgramKind::Probe:
    return {"loss"};
  case fb::ProgramKind::Reshard:
    return {};
  case fb::ProgramKind::Evaluate:
    break;
  }
  return {"logits"};
}

using Bindings = flatbuffers::Vector<flatbuffers::Offset<fb::Binding>>;

void checkType(const Context &context, const fb::Buffer &buffer,
               const Value &value, const char *side) {
  bool same = buffer.dtype() == value.dtype &&
              sizeOf(buffer.shape()) == value.shape.size();
  std::string expected;
  for (std::size_t d = 0; d < value.shape.size(); ++d) {
    same =
        same && buffer.shape()->Get(static_cast<unsigned>(d)) == value.shape[d];
    expected += (d ? ", " : "") + std::to_string(value.shape[d]);
  }
  context.require(same, side, " '", value.name, "' is ", nameOf(buffer.dtype()),
                  " ", show(buffer.shape()), " instead of ",
                  nameOf(value.dtype), " [", expected, "]");
}

/// Inputs, and outputs, that a model's own program may have.
constexpr std::size_t kMaxOwn = 64;

/// Every binding is known (`own`: or one of the model's, of any dtype and
/// shape), bound once, has its dtype and shape, lives in an allocation of
/// `category` and overlaps no other; all of `required` are there.
void checkSide(Context &context, const Bindings *bindings,
               const std::vector<Value> &known, bool own,
               const std::vector<std::string_view> &required,
               fb::Category category, const char *side) {
  std::set<std::string_view> seen;
  std::vector<Range> used;
  // A vector may repeat one table: bound the work below before doing it.
  context.require(sizeOf(bindings) <= (own ? kMaxOwn : known.size()),
                  "too many ", side, "s");
  for (std::size_t i = 0; i < sizeOf(bindings); ++i) {
    auto name = checkName(context, bindings->Get(i)->name(), "binding name");
    auto index = bindings->Get(i)->buffer();
    context.require(seen.insert(name).second, side, " '", name,
                    "' is bound twice");
    auto value = std::find_if(known.begin(), known.end(),
                              [&](auto &v) { return v.name == name; });
    context.require(own || value != known.end(), "unknown ", side, " '", name,
                    "'");
    std::string title(name);
    context.checkBuffer(index, title.c_str());
    checkPacked(context, index, title.c_str());
    if (value != known.end())
      checkType(context, context.buffer(index), *value, side);
    context.require(context.categoryOf(index) == category, side, " '", name,
                    "' lies in an allocation for ",
                    nameOf(context.categoryOf(index)));
    for (auto &other : used)
      context.require(!other.overlaps(context.ranges[index]), side, " '", name,
                      "' overlaps another ", side);
    used.push_back(context.ranges[index]);
  }
  for (auto name : required)
    context.require(seen.count(name), side, " '", name, "' is missing");
}

} // namespace

void checkBindings(Context &context, const fb::Program &program) {
  auto required = requiredInputs(program.kind());
  bool hasLoss = false;
  for (std::size_t i = 0; i < sizeOf(program.outputs()); ++i)
    hasLoss |= viewOf(program.outputs()->Get(i)->name()) == "loss";
  if (program.kind() == fb::ProgramKind::Evaluate && hasLoss)
    required.insert(required.end(), {"labels", "loss_scale"});
  auto outputs = requiredOutputs(program.kind());
  if (isAdaLora(context) && program.kind() == fb::ProgramKind::Train) {
    required.push_back("adalora");
    outputs.insert(outputs.end(), {"task_loss", "kept"});
  }
  bool own = program.kind() == fb::ProgramKind::Gradient;
  checkSide(context, program.inputs(), inputsOf(context, program), own,
            required, fb::Category::Inputs, "input");
  checkSide(context, program.outputs(), outputsOf(context, program), own,
            outputs, fb::Category::Outputs, "output");
}

void checkPrograms(Context &context) {
  auto *locations = context.plan.locations();
  for (std::size_t i = 0; i < sizeOf(locations); ++i)
    context.require(locations->Get(i), "location ", i, " is missing");
  std::uint64_t arena = 0;
  auto *allocations = context.plan.allocations();
  for (std::size_t i = 0; i < sizeOf(allocations); ++i)
    if (allocations->Get(i)->category() == fb::Category::Activations)
      arena += allocations->Get(i)->bytes();

  auto *programs = context.plan.programs();
  context.require(sizeOf(programs) > 0, "no programs");
  std::set<std::string_view> names;
  std::set<std::pair<fb::ProgramKind, std::uint32_t>> buckets;
  for (std::size_t i = 0; i < sizeOf(programs); ++i) {
    auto &program = *programs->Get(i);
    context.where = "program " + std::to_string(i) + ": ";
    auto name = checkName(context, program.name(), "name");
    context.where = "program '" + std::string(name) + "': ";
    context.require(names.insert(name).second, "its name is used twice");
    context.require(program.kind() <= fb::ProgramKind::MAX, "unknown kind");
    context.require(buckets.insert({program.kind(), program.tokens()}).second,
                    "two programs of one kind for ", program.tokens(),
                    " tokens");
    context.require(
        program.tokens() > 0 && program.tokens() <= (1u << 30) &&
            program.sequences() > 0 && program.sequences() <= (1u << 30),
        program.tokens(), " tokens of ", program.sequences(), " sequences");
    context.require(program.streams() >= 1 && program.streams() <= kMaxStreams,
                    program.streams(), " streams");
    context.require(program.activation_bytes() <= arena, "it uses ",
                    program.activation_bytes(),
                    " bytes of an activation arena of ", arena);
    checkBindings(context, program);
    checkSteps(context, program);
  }
  context.where.clear();
}

} // namespace llamarun::verify
