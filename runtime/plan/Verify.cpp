#include "runtime/plan/Verify.h"

#include "runtime/plan/VerifyContext.h"

namespace llamarun {
namespace verify {

std::string show(const flatbuffers::Vector<std::uint64_t> *shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizeOf(shape); ++i)
    text += (i ? ", " : "") + std::to_string(shape->Get(i));
  return text + "]";
}

static bool hasControl(std::string_view text) {
  for (unsigned char c : text)
    if (c < 0x20 || c == 0x7f)
      return true;
  return false;
}

void checkText(const Context &context, const flatbuffers::String *text,
               const char *what) {
  context.require(viewOf(text).size() <= kMaxName, what, " is too long");
  context.require(!hasControl(viewOf(text)), what,
                  " holds control characters: '", printable(viewOf(text)), "'");
}

std::string_view checkName(const Context &context,
                           const flatbuffers::String *name, const char *what) {
  context.require(name && name->size() != 0, what, " is missing");
  checkText(context, name, what);
  return viewOf(name);
}

static void checkTarget(const Context &context) {
  auto *target = context.plan.target();
  context.require(target, "no target");
  auto kind = checkName(context, target->kind(), "target kind");
  context.require(kind == "cpu" || kind == "cuda", "unknown target '", kind,
                  "'");
  checkName(context, target->arch(), "target architecture");
  checkText(context, target->features(), "target features");
}

/// Returns the number of devices.
static std::uint64_t
checkGrid(const Context &context,
          const flatbuffers::Vector<flatbuffers::Offset<fb::GridAxis>> *grid) {
  std::uint64_t devices = 1;
  context.require(sizeOf(grid) <= 8, "grid of more than 8 axes");
  for (std::size_t i = 0; i < sizeOf(grid); ++i) {
    checkName(context, grid->Get(i)->name(), "name of a grid axis");
    auto size = grid->Get(i)->size();
    context.require(size >= 1 && size <= 65536, "grid axis of size ", size);
    devices *= size;
    context.require(devices <= 65536, "grid of more than 65536");
  }
  return devices;
}

/// All programs were in the model file: there is neither decoder nor task.
static bool isBare(const fb::Plan &plan) {
  for (std::uint32_t i = 0; i < sizeOf(plan.programs()); ++i)
    if (plan.programs()->Get(i)->kind() != fb::ProgramKind::Gradient)
      return false;
  return true;
}

static void checkModel(const Context &context) {
  auto *model = context.plan.model();
  context.require(model, "no model");
  checkName(context, model->name(), "model name");
  context.require(model->compute() <= fb::DType::MAX, "model: unknown dtype");
  if (isBare(context.plan))
    return;
  auto positive = [&](std::uint64_t value, const char *what) {
    context.require(value > 0 && value <= (1u << 30), "model: ", what, " is ",
                    value);
  };
  positive(model->hidden_size(), "hidden_size");
  positive(model->intermediate_size(), "intermediate_size");
  positive(model->layers(), "layers");
  positive(model->heads(), "heads");
  positive(model->kv_heads(), "kv_heads");
  positive(model->head_dim(), "head_dim");
  positive(model->vocab_size(), "vocab_size");
  positive(model->max_positions(), "max_positions");
}

static void checkTask(const Context &context) {
  auto *task = context.plan.task();
  context.require(task, "no task");
  checkName(context, task->name(), "task name");
  context.require(task->head() <= fb::Head::MAX, "task: unknown head");
  if (isBare(context.plan))
    return;
  auto labels = task->labels();
  switch (task->head()) {
  case fb::Head::Classification:
    context.require(labels >= 1 && labels <= (1u << 20),
                    "task: classification into ", labels, " labels");
    break;
  case fb::Head::Regression:
    context.require(labels == 1, "task: regression with ", labels, " labels");
    break;
  case fb::Head::CausalLM:
    context.require(labels == 0, "task: causal LM with ", labels, " labels");
    break;
  }
  context.require(task->batch() > 0 && task->max_length() > 0 &&
                      task->accumulation() > 0,
                  "task: batch, max_length or accumulation is 0");
}

void checkHeader(Context &context) {
  auto &plan = context.plan;
  checkName(context, plan.compiler_version(), "compiler version");
  checkText(context, plan.model_hash(), "model hash");
  checkTarget(context);
  context.gridSize = checkGrid(context, plan.grid());
  checkGrid(context, plan.source_grid());
  checkGrid(context, plan.target_grid());
  checkModel(context);
  checkTask(context);
  checkAdapter(context);
}

void checkCode(Context &context) {
  auto *objects = context.plan.code_objects();
  bool cpu = viewOf(context.plan.target()->kind()) == "cpu";
  for (std::size_t i = 0; i < sizeOf(objects); ++i) {
    auto *object = objects->Get(i);
    context.where = "code object " + std::to_string(i) + ": ";
    context.require(object->format() <= fb::CodeFormat::MAX, "unknown format");
    context.require((object->format() == fb::CodeFormat::ElfSharedObject) ==
                        cpu,
                    "its format is not the target's");
    checkName(context, object->arch(), "architecture");
    context.require(sizeOf(object->data()) > 0, "no data");
  }
  auto *kernels = context.plan.kernels();
  for (std::size_t i = 0; i < sizeOf(kernels); ++i) {
    context.where = "kernel " + std::to_string(i) + ": ";
    checkName(context, kernels->Get(i)->symbol(), "symbol");
    context.require(kernels->Get(i)->code_object() < sizeOf(objects),
                    "code object ", kernels->Get(i)->code_object(), " of ",
                    sizeOf(objects));
  }
  context.where.clear();
}

} // namespace verify

std::string printable(std::string_view text) {
  std::string result(text.substr(0, 200));
  for (char &c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  if (text.size() > 200)
    result += "...";
  return result;
}

void verifyPlan(const fb::Plan &plan, const std::string &name) {
  verify::Context context{plan, name, {}, {}, 1, {}};
  verify::checkHeader(context);
  verify::checkMemory(context);
  verify::checkTensors(context);
  verify::checkAdapterTensors(context);
  verify::checkCode(context);
  verify::checkPrograms(context);
  verify::checkCollectives(context);
}

} // namespace llamarun
