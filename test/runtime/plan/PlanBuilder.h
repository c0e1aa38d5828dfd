//===- PlanBuilder.h - Small plans for tests -------------------*- C++ -*-===//
//
// Builds plans through the FlatBuffers object API; a test may change `plan`
// freely (break it, too) before it asks for the file's bytes.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/plan/Container.h"
#include "runtime/plan/Plan.h"
#include "runtime/plan/SchemaHash.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace llamarun::test {

class PlanBuilder {
public:
  using Shape = std::vector<std::uint64_t>;
  fb::PlanT plan;

  explicit PlanBuilder(const std::string &kind = "cpu",
                       const std::string &arch = "x86-64") {
    plan.schema_hash = fb::kSchemaHash;
    plan.compiler_version = "0.0-test";
    plan.flags = "--test";
    plan.target = std::make_unique<fb::TargetT>();
    plan.target->kind = kind;
    plan.target->arch = arch;
    plan.model = std::make_unique<fb::ModelT>();
    plan.model->name = "tiny";
    plan.model->hidden_size = 8;
    plan.model->intermediate_size = 16;
    plan.model->layers = 1;
    plan.model->heads = plan.model->kv_heads = 2;
    plan.model->head_dim = 4;
    plan.model->vocab_size = 32;
    plan.model->max_positions = 64;
    plan.task = std::make_unique<fb::TaskT>();
    plan.task->name = "sst2";
    plan.task->labels = 2;
    plan.task->batch = 4;
    plan.task->max_length = 16;
    plan.adapter = std::make_unique<fb::AdapterT>();
    plan.adapter->kind = "none";
    plan.locations = {"loc(\"test.mlir\":1:1)"};
  }

  /// A buffer in the one allocation of `category`, 64-byte aligned, after all
  /// earlier ones.
  std::uint32_t buffer(fb::Category category, fb::DType dtype,
                       const Shape &shape) {
    auto found = byCategory.find(category);
    if (found == byCategory.end()) {
      auto allocation = std::make_unique<fb::AllocationT>();
      allocation->name = nameOf(category);
      allocation->category = category;
      found = byCategory
                  .emplace(category,
                           static_cast<std::uint32_t>(plan.allocations.size()))
                  .first;
      plan.allocations.push_back(std::move(allocation));
    }
    auto &allocation = *plan.allocations[found->second];
    std::uint64_t bytes = sizeOf(dtype);
    for (auto extent : shape)
      bytes *= extent;
    auto offset = (allocation.bytes + 63) / 64 * 64;
    allocation.bytes = offset + bytes;
    return view(found->second, offset, dtype, shape);
  }

  /// The next buffer of `category` begins a new allocation.
  void startAllocation(fb::Category category) { byCategory.erase(category); }

  std::uint32_t view(std::uint32_t allocation, std::uint64_t offset,
                     fb::DType dtype, const Shape &shape) {
    auto buffer = std::make_unique<fb::BufferT>();
    buffer->allocation = allocation;
    buffer->offset = offset;
    buffer->dtype = dtype;
    buffer->shape = shape;
    plan.buffers.push_back(std::move(buffer));
    return static_cast<std::uint32_t>(plan.buffers.size() - 1);
  }

  /// A tensor with a buffer of its own. Returns the buffer.
  std::uint32_t tensor(fb::Role role, const std::string &name,
                       const Shape &shape, fb::DType dtype = fb::DType::F32) {
    auto tensor = std::make_unique<fb::TensorT>();
    tensor->name = name;
    tensor->role = role;
    tensor->init = std::make_unique<fb::InitT>();
    auto category = fb::Category::OptimizerState;
    if (role == fb::Role::Weight)
      category = fb::Category::Weights;
    if (role == fb::Role::Parameter)
      category = fb::Category::Parameters;
    if (role == fb::Role::Gradient)
      category = fb::Category::Gradients;
    if (role == fb::Role::Constant)
      category = fb::Category::Constants;
    if (role != fb::Role::Weight && role != fb::Role::Parameter)
      tensor->init->kind = fb::InitKind::Zero;
    tensor->buffer = buffer(category, dtype, shape);
    tensor->global_shape = shape;
    plan.tensors.push_back(std::move(tensor));
    return plan.tensors.back()->buffer;
  }

  /// A parameter with gradient and moments, each moment in an allocation of its
  /// own. Returns the parameter's buffer.
  std::uint32_t parameter(const std::string &name, const Shape &shape) {
    auto result = tensor(fb::Role::Parameter, name, shape);
    tensor(fb::Role::Gradient, name, shape);
    for (auto role : {fb::Role::FirstMoment, fb::Role::SecondMoment}) {
      byCategory.erase(fb::Category::OptimizerState);
      tensor(role, name, shape);
    }
    byCategory.erase(fb::Category::OptimizerState);
    return result;
  }

  std::uint32_t constant(const std::string &name, const Shape &shape,
                         fb::DType dtype, const void *data) {
    auto index = tensor(fb::Role::Constant, name, shape, dtype);
    auto &init = *plan.tensors.back()->init;
    init.kind = fb::InitKind::Data;
    init.constant = static_cast<std::uint32_t>(plan.constants.size());
    std::uint64_t bytes = sizeOf(dtype);
    for (auto extent : shape)
      bytes *= extent;
    auto *begin = static_cast<const std::uint8_t *>(data);
    auto entry = std::make_unique<fb::ConstantT>();
    entry->data.assign(begin, begin + bytes);
    plan.constants.push_back(std::move(entry));
    return index;
  }

  std::uint32_t code(fb::CodeFormat format, const std::string &arch,
                     const std::string &bytes) {
    auto object = std::make_unique<fb::CodeObjectT>();
    object->format = format;
    object->arch = arch;
    object->data.assign(bytes.begin(), bytes.end());
    plan.code_objects.push_back(std::move(object));
    return static_cast<std::uint32_t>(plan.code_objects.size() - 1);
  }

  std::uint32_t kernel(const std::string &symbol, std::uint32_t codeObject) {
    auto kernel = std::make_unique<fb::KernelT>();
    kernel->symbol = symbol;
    kernel->code_object = codeObject;
    plan.kernels.push_back(std::move(kernel));
    return static_cast<std::uint32_t>(plan.kernels.size() - 1);
  }

  /// A program with all inputs and outputs of docs/plan.md and no steps yet.
  fb::ProgramT &program(fb::ProgramKind kind, std::uint32_t tokens,
                        std::uint32_t sequences) {
    using enum fb::DType;
    auto program = std::make_unique<fb::ProgramT>();
    program->name = std::string(nameOf(kind)) + "_" + std::to_string(tokens);
    program->kind = kind;
    program->tokens = tokens;
    program->sequences = sequences;
    std::uint64_t t = tokens, b = sequences;
    auto in = fb::Category::Inputs, out = fb::Category::Outputs;
    bind(program->inputs, "input_ids", buffer(in, I32, {t}));
    bind(program->inputs, "positions", buffer(in, I32, {t}));
    bind(program->inputs, "cu_seqlens", buffer(in, I32, {b + 1}));
    bind(program->inputs, "last_token", buffer(in, I32, {b}));
    bind(program->inputs, "pool_index", buffer(in, I32, {t}));
    bind(program->inputs, "labels", buffer(in, I32, {b}));
    bind(program->inputs, "loss_scale", buffer(in, F32, {1}));
    bind(program->outputs, "loss", buffer(out, F32, {1}));
    if (kind == fb::ProgramKind::Train) {
      bind(program->inputs, "hyper", buffer(in, F64, {8}));
      bind(program->outputs, "grad_norm", buffer(out, F32, {1}));
      bind(program->outputs, "learning_rate", buffer(out, F32, {1}));
    }
    if (kind == fb::ProgramKind::Evaluate)
      bind(program->outputs, "logits",
           buffer(out, F32, {b, plan.task->labels}));
    plan.programs.push_back(std::move(program));
    return *plan.programs.back();
  }

  static void bind(std::vector<std::unique_ptr<fb::BindingT>> &list,
                   const std::string &name, std::uint32_t buffer) {
    auto binding = std::make_unique<fb::BindingT>();
    binding->name = name;
    binding->buffer = buffer;
    list.push_back(std::move(binding));
  }

  /// Appends a step and returns its operation, to be filled in.
  template <typename Operation>
  static Operation &step(fb::ProgramT &program, Operation operation,
                         std::uint16_t stream = 0,
                         std::vector<std::uint32_t> waits = {}) {
    auto step = std::make_unique<fb::StepT>();
    step->stream = stream;
    step->waits = std::move(waits);
    step->operation.Set(std::move(operation));
    program.steps.push_back(std::move(step));
    return *static_cast<Operation *>(program.steps.back()->operation.value);
  }

  /// D[m, n] = A[m, k] B[n, k]^T, all packed: a linear layer.
  static fb::GemmT linear(std::uint32_t a, std::uint32_t b, std::uint32_t d,
                          std::uint64_t m, std::uint64_t n, std::uint64_t k) {
    fb::GemmT gemm;
    gemm.a = a;
    gemm.b = b;
    gemm.d = d;
    gemm.transpose_b = true;
    gemm.m = m;
    gemm.n = n;
    gemm.k = k;
    gemm.lda = gemm.ldb = k;
    gemm.ldd = n;
    return gemm;
  }

  std::string payload() const {
    flatbuffers::FlatBufferBuilder builder;
    builder.ForceDefaults(false);
    fb::FinishPlanBuffer(builder, fb::CreatePlan(builder, &plan));
    return {reinterpret_cast<const char *>(builder.GetBufferPointer()),
            builder.GetSize()};
  }
  /// The bytes of a plan file.
  std::string file() const { return wrap(payload()); }
  static std::string wrap(const std::string &payload) {
    return fb::makeContainer(std::as_bytes(std::span(payload)));
  }
  std::shared_ptr<const Plan> load() const { return parse(file()); }
  static std::shared_ptr<const Plan> parse(const std::string &file) {
    return Plan::fromBytes(std::as_bytes(std::span(file)), "test.fb");
  }

private:
  std::map<fb::Category, std::uint32_t> byCategory;
};

/// A valid plan with one of everything but code: weight, parameter, state,
/// constant, a train and an evaluate program with gemm, copy and fill.
inline PlanBuilder smallPlan(const std::string &kind = "cpu") {
  PlanBuilder builder(kind);
  auto x = builder.buffer(fb::Category::Activations, fb::DType::F32, {16, 8});
  auto y = builder.buffer(fb::Category::Activations, fb::DType::F32, {16, 2});
  auto w = builder.tensor(fb::Role::Weight, "model.w.weight", {2, 8});
  auto p = builder.parameter("score.weight", {2, 8});
  builder.tensor(fb::Role::State, "optimizer.step", {1}, fb::DType::I64);
  const float table[4] = {1, 2, 3, 4};
  auto c = builder.constant("rope", {4}, fb::DType::F32, table);
  auto c2 = builder.buffer(fb::Category::Activations, fb::DType::F32, {4});
  for (auto kind : {fb::ProgramKind::Train, fb::ProgramKind::Evaluate}) {
    auto &program = builder.program(kind, 16, 4);
    program.streams = 2;
    builder.step(program, fb::FillT{}).target = x;
    builder.step(program, PlanBuilder::linear(x, w, y, 16, 2, 8));
    auto &more = builder.step(program, PlanBuilder::linear(x, p, y, 16, 2, 8));
    more.beta = 1;
    auto &copy = builder.step(program, fb::CopyT{}, 1, {0});
    copy.source = c;
    copy.target = c2;
  }
  return builder;
}

} // namespace llamarun::test
