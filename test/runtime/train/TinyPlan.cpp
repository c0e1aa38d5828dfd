#include "test/runtime/train/TinyPlan.h"

#include "runtime/plan/Container.h"
#include "runtime/plan/SchemaHash.h"
#include "test/runtime/executor/LazyDevice.h"
#include "test/runtime/train/ThreadRanks.h"

#include <flatbuffers/flatbuffers.h>

#include <utility>

namespace llamarun::tiny {
namespace {

using fb::Category;
using fb::DType;
using Shape = std::vector<std::uint64_t>;

constexpr std::size_t kWhole = 9;

class Builder {
public:
  explicit Builder(const Options &options) : options(options) {}
  std::string build();

private:
  std::uint32_t buffer(Category category, const std::string &name, DType dtype,
                       const Shape &shape);
  /// \param split the dimension that tp splits; kWhole: none.
  void tensor(const std::string &name, fb::Role role, Category category,
              DType dtype, const Shape &shape, fb::InitKind kind, double a = 0,
              std::size_t split = kWhole);
  void parameter(const std::string &name, const Shape &shape, fb::InitKind kind,
                 double a = 0, std::size_t split = kWhole);
  void program(fb::ProgramKind kind, std::uint32_t tokens);

  Options options;
  fb::PlanT plan;
  void adaLora();
  std::uint32_t loraB = 0, gradientB = 0, loraE = 0, kept = 0;
};

/// Every buffer has an allocation to itself, except that parameters and what
/// shadows them need the same offset: 0 in all.
std::uint32_t Builder::buffer(Category category, const std::string &name,
                              DType dtype, const Shape &shape) {
  auto allocation = std::make_unique<fb::AllocationT>();
  allocation->name = name;
  allocation->category = category;
  allocation->bytes = sizeOf(dtype);
  for (auto extent : shape)
    allocation->bytes *= extent;
  auto buffer = std::make_unique<fb::BufferT>();
  buffer->allocation = static_cast<std::uint32_t>(plan.allocations.size());
  buffer->dtype = dtype;
  buffer->shape = shape;
  plan.allocations.push_back(std::move(allocation));
  plan.buffers.push_back(std::move(buffer));
  return static_cast<std::uint32_t>(plan.buffers.size() - 1);
}

void Builder::tensor(const std::string &name, fb::Role role, Category category,
                     DType dtype, const Shape &shape, fb::InitKind kind,
                     double a, std::size_t split) {
  auto tensor = std::make_unique<fb::TensorT>();
  tensor->name = name;
  tensor->role = role;
  Shape local = shape;
  if (split != kWhole && options.tp > 1) {
    local[split] =
        (local[split] + (options.unevenRows ? options.tp - 1 : 0)) / options.tp;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      tensor->sharding.push_back(std::make_unique<fb::DimShardingT>());
      if (d == split)
        tensor->sharding.back()->axes = {1}; // tp
    }
  }
  tensor->buffer = buffer(category, name, dtype, local);
  tensor->global_shape = shape;
  tensor->init = std::make_unique<fb::InitT>();
  tensor->init->kind = kind;
  tensor->init->a = a;
  if (role == fb::Role::Parameter && (name == kLoraB || name == kAdaLoraB))
    loraB = tensor->buffer;
  if (role == fb::Role::Parameter && name == kAdaLoraE)
    loraE = tensor->buffer;
  if (role == fb::Role::Gradient && name == kLoraB)
    gradientB = tensor->buffer;
  plan.tensors.push_back(std::move(tensor));
}

void Builder::parameter(const std::string &name, const Shape &shape,
                        fb::InitKind kind, double a, std::size_t split) {
  tensor(name, fb::Role::Parameter, Category::Parameters, DType::F32, shape,
         kind, a, split);
  tensor(name, fb::Role::Gradient, Category::Gradients, DType::F32, shape,
         fb::InitKind::Zero, 0, split);
  for (auto role : {fb::Role::FirstMoment, fb::Role::SecondMoment})
    tensor(name, role, Category::OptimizerState, DType::F32, shape,
           fb::InitKind::Zero, 0, split);
}

void Builder::adaLora() {
  auto &adapter = *plan.adapter;
  adapter.kind = "adalora";
  adapter.adalora = std::make_unique<fb::AdaLoraT>();
  adapter.adalora->target_rank = 1;
  adapter.adalora->tinit = 1;
  adapter.adalora->tfinal = 2;
  adapter.adalora->delta_t = 2;
  adapter.adalora->beta1 = 0.85;
  adapter.adalora->beta2 = 0.75;
  adapter.adalora->orth_reg_weight = 0.5;
  struct Factor {
    const char *name;
    Shape shape;
    fb::InitKind kind;
    std::size_t split;
  };
  for (auto &[name, shape, kind, split] :
       {Factor{kAdaLoraA, {kRank, kHidden}, fb::InitKind::Normal, 1},
        Factor{kAdaLoraE, {kRank, 1}, fb::InitKind::Zero, kWhole},
        Factor{kAdaLoraB, {kHidden, kRank}, fb::InitKind::Normal, 0}}) {
    parameter(name, shape, kind, kind == fb::InitKind::Zero ? 0 : 0.02, split);
    for (auto role : {fb::Role::Sensitivity, fb::Role::Uncertainty})
      tensor(name, role, Category::OptimizerState, DType::F32, shape,
             fb::InitKind::Zero, 0, split);
  }
  tensor("adalora.kept", fb::Role::State, Category::OptimizerState, DType::F32,
         {1, kRank}, fb::InitKind::Value, 1);
  kept = plan.tensors.back()->buffer;
}

void Builder::program(fb::ProgramKind kind, std::uint32_t tokens) {
  auto program = std::make_unique<fb::ProgramT>();
  program->kind = kind;
  program->name = std::string(nameOf(kind)) + "_" + std::to_string(tokens);
  program->tokens = tokens;
  program->sequences = options.sequences;
  auto bind = [&](auto &side, Category category, const std::string &name,
                  DType dtype, const Shape &shape) {
    auto binding = std::make_unique<fb::BindingT>();
    binding->name = name;
    binding->buffer = buffer(category, name, dtype, shape);
    side.push_back(std::move(binding));
    return side.back()->buffer;
  };
  auto input = [&](const std::string &name, DType dtype, const Shape &shape) {
    return bind(program->inputs, Category::Inputs, name, dtype, shape);
  };
  auto output = [&](const std::string &name, const Shape &shape) {
    return bind(program->outputs, Category::Outputs, name, DType::F32, shape);
  };
  auto copy = [&](std::uint32_t from, std::uint32_t to) {
    auto step = std::make_unique<fb::StepT>();
    fb::CopyT copy;
    copy.source = from;
    copy.target = to;
    step->operation.Set(copy);
    program->steps.push_back(std::move(step));
  };
  auto fill = [&](std::uint32_t to, double value) {
    auto step = std::make_unique<fb::StepT>();
    fb::FillT fill;
    fill.target = to;
    fill.value = value;
    step->operation.Set(fill);
    program->steps.push_back(std::move(step));
  };
  std::uint64_t t = tokens, b = options.sequences;
  bool causal = options.head == fb::Head::CausalLM;
  bool regression = options.head == fb::Head::Regression;
  input("input_ids", DType::I32, {t});
  input("positions", DType::I32, {t});
  input("cu_seqlens", DType::I32, {b + 1});
  auto labels =
      input("labels", regression ? DType::F32 : DType::I32, {causal ? t : b});
  auto scale = input("loss_scale", DType::F32, {1});
  if (options.dp * options.tp > 1) {
    input("random", DType::I64, {2});
    input("grid_index", DType::I32, {2});
  }
  auto loss = output("loss", {1});
  bool train = kind == fb::ProgramKind::Train;
  if (train && options.trainLoss != 0)
    fill(loss, options.trainLoss);
  else
    copy(scale, loss);
  if (train) {
    input("hyper", DType::F64, {8});
    copy(scale, output("grad_norm", {1}));
    fill(output("learning_rate", {1}), 0.25);
    fill(loraB, 0.5);
    if (options.gradient != 0)
      fill(gradientB, options.gradient);
    if (options.adalora) {
      input("adalora", DType::I64, {2});
      copy(scale, output("task_loss", {1}));
      copy(kept, output("kept", {1, kRank}));
      fill(loraE, 0.5);
    }
  }
  if (kind == fb::ProgramKind::Evaluate && options.adalora)
    fill(output("regulariser", {1}), 0.125);
  if (kind == fb::ProgramKind::Evaluate) {
    auto logits = output("logits", {b, causal ? kVocabulary : options.labels});
    if (regression)
      copy(labels, logits);
    else
      fill(logits, 1);
  }
  plan.programs.push_back(std::move(program));
}

std::string Builder::build() {
  plan.schema_hash = llama::plan::kSchemaHash;
  plan.compiler_version = "test";
  plan.target = std::make_unique<fb::TargetT>();
  plan.target->kind = "cpu";
  plan.target->arch = "x86-64";
  if (options.dp * options.tp > 1)
    for (auto [name, size] :
         {std::pair{"dp", options.dp}, {"tp", options.tp}}) {
      plan.grid.push_back(std::make_unique<fb::GridAxisT>());
      plan.grid.back()->name = name;
      plan.grid.back()->size = size;
    }
  plan.model = std::make_unique<fb::ModelT>();
  auto &model = *plan.model;
  model.name = "tiny";
  model.hidden_size = model.intermediate_size = kHidden;
  model.layers = model.heads = model.kv_heads = 1;
  model.head_dim = kHidden;
  model.vocab_size = kVocabulary;
  model.max_positions = 64;
  model.tied_embeddings = options.tied;
  plan.task = std::make_unique<fb::TaskT>();
  plan.task->name = options.task;
  plan.task->head = options.head;
  plan.task->labels = options.labels;
  plan.task->batch = options.batch;
  plan.task->max_length = options.maxLength;
  plan.task->accumulation = options.accumulation;
  plan.adapter = std::make_unique<fb::AdapterT>();
  plan.adapter->kind = "lora";
  plan.adapter->rank = kRank;
  plan.adapter->alpha = 6;
  plan.adapter->targets = {"all-linear"};
  plan.adapter->modules = {"model.layers.0.self_attn.q_proj"};

  tensor("model.embed_tokens.weight", fb::Role::Weight, Category::Weights,
         options.weights, {options.rows, kHidden}, fb::InitKind::Checkpoint, 0,
         0);
  if (options.head == fb::Head::CausalLM)
    tensor("lm_head.weight", fb::Role::Weight, Category::Weights,
           options.weights, {options.rows, kHidden}, fb::InitKind::Checkpoint,
           0, 1);
  if (options.adalora) {
    adaLora();
  } else {
    parameter(kLoraA, {kRank, kHidden}, fb::InitKind::Uniform, 0.5, 1);
    parameter(kLoraB, {kHidden, kRank}, fb::InitKind::Zero, 0, 0);
  }
  if (options.head != fb::Head::CausalLM)
    parameter("score.weight", {options.labels, kHidden}, fb::InitKind::Normal,
              0.02);
  tensor("optimizer.step", fb::Role::State, Category::OptimizerState,
         DType::I64, {1}, fb::InitKind::Zero);
  for (const char *power : {"optimizer.beta1_power", "optimizer.beta2_power"})
    tensor(power, fb::Role::State, Category::OptimizerState, DType::F64, {1},
           fb::InitKind::Value, 1);
  plan.locations = {"test"};
  for (auto tokens : options.buckets) {
    program(fb::ProgramKind::Train, tokens);
    if (options.accumulation > 1)
      program(fb::ProgramKind::Accumulate, tokens);
    program(fb::ProgramKind::Evaluate, tokens);
  }
  flatbuffers::FlatBufferBuilder out;
  out.Finish(fb::Plan::Pack(out, &plan), fb::PlanIdentifier());
  return llama::plan::makeContainer(
      std::as_bytes(std::span(out.GetBufferPointer(), out.GetSize())));
}

} // namespace

std::shared_ptr<const Plan> makePlan(const Options &options) {
  std::string file = Builder(options).build();
  return Plan::fromBytes(std::as_bytes(std::span(file)), "tiny.fb");
}

std::unique_ptr<Session> openSession(const Options &options,
                                     Communicators *communicators) {
  DeviceOptions device;
  device.threads = 2;
  SessionOptions sessionOptions;
  sessionOptions.communicators = communicators;
  return std::make_unique<Session>(makePlan(options),
                                   createDevice("cpu", device), sessionOptions);
}

void runGrid(const Options &options,
             const std::function<void(Session &, const Ranks &)> &body) {
  test::runRanks(options.dp * options.tp, [&](Peers &peers) {
    auto plan = makePlan(options);
    test::NoCommunicators communicators(*plan, peers.world().rank);
    auto session = openSession(options, &communicators);
    body(*session, Ranks(*plan, &peers));
  });
}

std::unique_ptr<Session> openLazySession(const Options &options) {
  return std::make_unique<Session>(
      makePlan(options),
      std::make_unique<test::LazyDevice>(createDevice("cpu", {.threads = 2})));
}

} // namespace llamarun::tiny
