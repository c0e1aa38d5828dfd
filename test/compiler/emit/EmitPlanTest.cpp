// The emitted file is read back with FlatBuffers alone and compared with what
// small-plan.mlir says, number by number.
#include "compiler/emit/EmitPlan.h"

#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "runtime/plan/Container.h"
#include "runtime/plan/SchemaHash.h"
#include "runtime/plan/plan_generated.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace {

namespace fb = ::llama::plan;

std::string readFile(const char *name) {
  std::ifstream file(std::string(LLAMAC_TEST_DIR) + "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// `text` with `from`, which it holds, replaced by `to` wherever it is.
std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  for (; at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// Emits a plan written in the plan dialect, in a context of its own.
/// Diagnostics are collected in `errors`.
struct Emission {
  std::string bytes, errors;
  bool ok = false;

  explicit Emission(const std::string &text) {
    mlir::DialectRegistry registry;
    registry.insert<llm::LlmDialect, plan::PlanDialect>();
    mlir::MLIRContext context(registry);
    context.getDiagEngine().registerHandler([&](mlir::Diagnostic &diagnostic) {
      errors += diagnostic.str() + "\n";
    });
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (module)
      ok = mlir::succeeded(llamac::emitPlan(*module, bytes));
  }
};

class EmitPlan : public testing::Test {
protected:
  void SetUp() override {
    Emission emission(source());
    ASSERT_TRUE(emission.ok) << emission.errors;
    // The loader keeps the file 64-byte aligned, and so must we.
    storage.resize(emission.bytes.size() + 64);
    auto address = reinterpret_cast<uintptr_t>(storage.data());
    size = emission.bytes.size();
    file = storage.data() + (64 - address % 64) % 64;
    std::memcpy(file, emission.bytes.data(), size);
    std::string error;
    auto payload = fb::openContainer({file, size}, error);
    ASSERT_TRUE(payload) << error;
    flatbuffers::Verifier verifier(
        reinterpret_cast<const uint8_t *>(payload->data()), payload->size());
    ASSERT_TRUE(fb::VerifyPlanBuffer(verifier));
    plan = fb::GetPlan(payload->data());
  }

  virtual std::string source() const { return readFile("small-plan.mlir"); }

  static std::string text(const flatbuffers::String *s) {
    return s ? s->str() : "(none)";
  }
  template <typename V> static std::vector<int64_t> list(const V *vector) {
    std::vector<int64_t> copy;
    for (size_t i = 0; vector && i < vector->size(); ++i)
      copy.push_back(static_cast<int64_t>(vector->Get(i)));
    return copy;
  }
  std::string bufferText(uint32_t index) {
    auto *buffer = plan->buffers()->Get(index);
    std::string result =
        text(plan->allocations()->Get(buffer->allocation())->name()) + "+" +
        std::to_string(buffer->offset()) + " " +
        fb::EnumNameDType(buffer->dtype());
    for (int64_t extent : list(buffer->shape()))
      result += " " + std::to_string(extent);
    return result;
  }

  using List = std::vector<int64_t>;
  std::vector<std::byte> storage;
  std::byte *file = nullptr;
  size_t size = 0;
  const fb::Plan *plan = nullptr;
};

TEST_F(EmitPlan, Header) {
  EXPECT_EQ(text(plan->schema_hash()), fb::kSchemaHash);
  EXPECT_EQ(text(plan->compiler_version()), LLAMAC_VERSION);
  EXPECT_EQ(text(plan->flags()), "--shard=tp2");
  EXPECT_EQ(text(plan->model_hash()), "c0ffee");
  EXPECT_EQ(text(plan->target()->kind()), "cpu");
  EXPECT_EQ(text(plan->target()->arch()), "x86-64-v3");
  EXPECT_EQ(text(plan->target()->features()), "+avx2,+fma");
  ASSERT_EQ(plan->grid()->size(), 2u);
  EXPECT_EQ(text(plan->grid()->Get(1)->name()), "tp");
  EXPECT_EQ(plan->grid()->Get(1)->size(), 2u);

  auto *model = plan->model();
  EXPECT_EQ(text(model->name()), "tiny");
  EXPECT_EQ(
      (List{model->hidden_size(), model->intermediate_size(), model->layers(),
            model->heads(), model->kv_heads(), model->head_dim(),
            model->vocab_size(), model->max_positions()}),
      (List{64, 96, 2, 4, 2, 16, 128, 256}));
  EXPECT_TRUE(model->tied_embeddings());
  EXPECT_EQ(model->compute(), fb::DType::F32);

  auto *task = plan->task();
  EXPECT_EQ(text(task->name()), "sst2");
  EXPECT_EQ(task->head(), fb::Head::Classification);
  EXPECT_EQ((List{task->labels(), task->batch(), task->max_length(),
                  task->accumulation()}),
            (List{2, 2, 32, 3}));

  auto *adapter = plan->adapter();
  EXPECT_EQ(text(adapter->kind()), "lora");
  EXPECT_EQ(adapter->rank(), 8u);
  EXPECT_EQ(adapter->alpha(), 16.0);
  EXPECT_EQ(adapter->dropout(), 0.25);
  EXPECT_TRUE(adapter->use_rslora());
  EXPECT_FALSE(adapter->targets_is_regex());
  ASSERT_EQ(adapter->targets()->size(), 2u);
  EXPECT_EQ(text(adapter->targets()->Get(1)), "v_proj");
  ASSERT_EQ(adapter->modules()->size(), 1u);
  EXPECT_EQ(text(adapter->modules()->Get(0)),
            "model.layers.0.self_attn.q_proj");
  EXPECT_EQ(text(adapter->rank_pattern()->Get(0)->key()), "layers.0.q_proj");
  EXPECT_EQ(adapter->rank_pattern()->Get(0)->value(), 4.0);
  EXPECT_EQ(adapter->alpha_pattern()->Get(0)->value(), 2.5);
}

TEST_F(EmitPlan, MemoryAndTensors) {
  ASSERT_EQ(plan->allocations()->size(), 6u);
  auto *parameters = plan->allocations()->Get(1);
  EXPECT_EQ(text(parameters->name()), "parameters");
  EXPECT_EQ(parameters->category(), fb::Category::Parameters);
  EXPECT_EQ(parameters->bytes(), 4096u);
  EXPECT_EQ(parameters->alignment(), 4096u);
  EXPECT_EQ(plan->allocations()->Get(0)->alignment(), 256u);
  EXPECT_EQ(plan->allocations()->Get(5)->category(), fb::Category::Activations);

  ASSERT_EQ(plan->tensors()->size(), 4u);
  auto *weight = plan->tensors()->Get(0);
  EXPECT_EQ(text(weight->name()), "model.norm.weight");
  EXPECT_EQ(weight->role(), fb::Role::Weight);
  EXPECT_EQ(bufferText(weight->buffer()), "weights+256 F32 64");
  EXPECT_EQ(list(weight->global_shape()), List{64});
  EXPECT_EQ(weight->init()->kind(), fb::InitKind::Checkpoint);
  auto *score = plan->tensors()->Get(1);
  EXPECT_EQ(score->role(), fb::Role::Parameter);
  EXPECT_EQ(bufferText(score->buffer()), "parameters+64 F32 2 32");
  EXPECT_EQ(list(score->global_shape()), (List{2, 64}));
  ASSERT_EQ(score->sharding()->size(), 2u);
  EXPECT_EQ(list(score->sharding()->Get(0)->axes()), List{});
  EXPECT_EQ(list(score->sharding()->Get(1)->axes()), List{1});
  EXPECT_EQ(score->init()->kind(), fb::InitKind::Uniform);
  EXPECT_EQ(score->init()->a(), 0.125);

  auto *three =
      plan->constants()->Get(plan->tensors()->Get(2)->init()->constant());
  float values[3];
  ASSERT_EQ(three->data()->size(), sizeof values);
  std::memcpy(values, three->data()->data(), sizeof values);
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[2], 3.0f);
  auto *splat =
      plan->constants()->Get(plan->tensors()->Get(3)->init()->constant());
  int32_t sevens[4];
  ASSERT_EQ(splat->data()->size(), sizeof sevens);
  std::memcpy(sevens, splat->data()->data(), sizeof sevens);
  for (int32_t seven : sevens)
    EXPECT_EQ(seven, 7);
  for (auto *constant : *plan->constants())
    EXPECT_EQ(reinterpret_cast<uintptr_t>(constant->data()->data()) % 64, 0u);
}

TEST_F(EmitPlan, Code) {
  ASSERT_EQ(plan->code_objects()->size(), 1u);
  auto *object = plan->code_objects()->Get(0);
  EXPECT_EQ(object->format(), fb::CodeFormat::ElfSharedObject);
  EXPECT_EQ(text(object->arch()), "x86-64-v3");
  EXPECT_EQ(list(object->data()), (List{0x7f, 'E', 'L', 'F', 0, 0xff}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(object->data()->data()) % 64, 0u);
  ASSERT_EQ(plan->kernels()->size(), 2u);
  EXPECT_EQ(text(plan->kernels()->Get(1)->symbol()), "scale");
  EXPECT_EQ(text(plan->kernels()->Get(0)->description()),
            "rms_norm, 64 columns");
}

TEST_F(EmitPlan, Program) {
  ASSERT_EQ(plan->programs()->size(), 1u);
  auto *program = plan->programs()->Get(0);
  EXPECT_EQ(text(program->name()), "evaluate_8");
  EXPECT_EQ(program->kind(), fb::ProgramKind::Evaluate);
  EXPECT_EQ((List{program->tokens(), program->sequences(), program->streams()}),
            (List{8, 2, 2}));
  EXPECT_EQ(program->activation_bytes(), 6144u);
  EXPECT_EQ(program->flops(), 2048u);
  EXPECT_EQ(program->bytes(), 4096u);
  ASSERT_EQ(program->inputs()->size(), 3u);
  EXPECT_EQ(text(program->inputs()->Get(2)->name()), "cu_seqlens");
  EXPECT_EQ(bufferText(program->inputs()->Get(2)->buffer()),
            "inputs+128 I32 3");
  ASSERT_EQ(program->outputs()->size(), 1u);
  EXPECT_EQ(bufferText(program->outputs()->Get(0)->buffer()),
            "outputs+0 F32 2 2");
  // 9 places in the program and two constants; a place written twice is one.
  EXPECT_EQ(plan->buffers()->size(), 11u);
}

TEST_F(EmitPlan, Steps) {
  auto *steps = plan->programs()->Get(0)->steps();
  ASSERT_EQ(steps->size(), 6u);
  auto *launch = steps->Get(1)->operation_as_Launch();
  ASSERT_TRUE(launch);
  EXPECT_EQ(text(plan->kernels()->Get(launch->kernel())->symbol()), "norm");
  ASSERT_EQ(launch->reads()->size(), 2u);
  EXPECT_EQ(bufferText(launch->reads()->Get(0)), "activations+0 F32 8 64");
  EXPECT_EQ(bufferText(launch->reads()->Get(1)), "weights+256 F32 64");
  ASSERT_EQ(launch->writes()->size(), 1u);
  EXPECT_EQ(bufferText(launch->writes()->Get(0)), "activations+4096 F32 8 64");
  EXPECT_EQ(list(launch->scalars()), (List{-5, 8}));
  EXPECT_EQ((List{launch->grid_x(), launch->grid_y(), launch->grid_z(),
                  launch->block_x(), launch->block_y(), launch->block_z(),
                  launch->shared_bytes(), launch->grain()}),
            (List{8, 2, 1, 32, 4, 1, 512, 4}));

  auto *fill = steps->Get(2)->operation_as_Fill();
  ASSERT_TRUE(fill);
  EXPECT_EQ(fill->value(), 0.25);
  EXPECT_EQ(bufferText(fill->target()), "activations+2048 F32 2 2");
  EXPECT_EQ(steps->Get(2)->stream(), 1);
  EXPECT_EQ(list(steps->Get(2)->waits()), List{1});

  auto *gemm = steps->Get(3)->operation_as_Gemm();
  ASSERT_TRUE(gemm);
  EXPECT_EQ(bufferText(gemm->a()), "activations+4096 F32 8 64");
  EXPECT_EQ(bufferText(gemm->b()), "parameters+64 F32 2 32");
  EXPECT_EQ(bufferText(gemm->d()), "activations+2048 F32 2 2");
  EXPECT_FALSE(gemm->transpose_a());
  EXPECT_TRUE(gemm->transpose_b());
  EXPECT_EQ(
      (List{int64_t(gemm->m()), int64_t(gemm->n()), int64_t(gemm->k()),
            int64_t(gemm->lda()), int64_t(gemm->ldb()), int64_t(gemm->ldd())}),
      (List{2, 2, 32, 64, 32, 2}));
  EXPECT_EQ(gemm->alpha(), 2.0f);
  EXPECT_EQ(gemm->beta(), 0.5f);

  auto *reduce = steps->Get(4)->operation_as_Collective();
  ASSERT_TRUE(reduce);
  EXPECT_EQ(reduce->kind(), fb::CollectiveKind::AllReduceSum);
  EXPECT_EQ(list(reduce->axes()), List{1});
  EXPECT_FALSE(reduce->in_kernel());
  auto *copy = steps->Get(5)->operation_as_Copy();
  ASSERT_TRUE(copy);
  EXPECT_EQ(bufferText(copy->source()), "activations+2048 F32 2 2");
  EXPECT_EQ(bufferText(copy->target()), "outputs+0 F32 2 2");
}

/// The same with the sum in a kernel that another step has become.
class EmitSums : public EmitPlan {
  std::string source() const override {
    std::string text = replaced(
        readFile("small-plan.mlir"), "  plan.kernel @scale \"",
        "  plan.kernel @summing \"sum\" code_object(@objects) sums [0, 2]\n"
        "  plan.kernel @scale \"");
    text = replaced(text, "%z to %z :", "%z to %z in_kernel :");
    return replaced(text, "    plan.copy %z to",
                    "    plan.launch @summing reads(%z) writes(%z) sums(0)\n"
                    "      : (tensor<2x2xf32>) -> tensor<2x2xf32>\n"
                    "    plan.copy %z to");
  }
};

TEST_F(EmitSums, StepsSayWhoTakesTheSum) {
  auto *steps = plan->programs()->Get(0)->steps();
  ASSERT_EQ(steps->size(), 7u);
  EXPECT_EQ(steps->Get(1)->operation_as_Launch()->sums(), -1);
  auto *sum = steps->Get(4)->operation_as_Collective();
  auto *launch = steps->Get(5)->operation_as_Launch();
  ASSERT_TRUE(sum && launch);
  EXPECT_TRUE(sum->in_kernel());
  EXPECT_EQ(launch->sums(), 0);
}

TEST_F(EmitPlan, LocationsAreShortAndListedOnce) {
  auto *steps = plan->programs()->Get(0)->steps();
  auto at = [&](unsigned step) {
    return text(plan->locations()->Get(steps->Get(step)->location()));
  };
  EXPECT_EQ(plan->locations()->size(), 3u);
  EXPECT_EQ(at(0), "model.mlir:42:10 model.layers.0.input_layernorm");
  EXPECT_EQ(at(1), at(0));
  EXPECT_EQ(at(2), "unknown");
  EXPECT_EQ(at(3), "model.mlir:50:3 score + dropout");
}

TEST(EmitPlanBytes, TwoEmissionsAreEqual) {
  std::string plan = readFile("small-plan.mlir");
  Emission first(plan), second(plan);
  ASSERT_TRUE(first.ok && second.ok);
  EXPECT_TRUE(first.bytes == second.bytes);
  // In another folder, too.
  Emission moved(replaced(plan, "/somewhere/else", "/home"));
  ASSERT_TRUE(moved.ok) << moved.errors;
  EXPECT_TRUE(first.bytes == moved.bytes);
  Emission other(replaced(plan, "dense<7>", "dense<8>"));
  ASSERT_TRUE(other.ok) << other.errors;
  EXPECT_FALSE(first.bytes == other.bytes);
}

TEST(EmitPlanErrors, SayWhatIsMissing) {
  std::string plan = readFile("small-plan.mlir");
  auto expect = [&](const std::string &from, const std::string &to,
                    const std::string &message) {
    Emission emission(replaced(plan, from, to));
    EXPECT_FALSE(emission.ok) << message;
    EXPECT_NE(emission.errors.find(message), std::string::npos)
        << emission.errors;
    EXPECT_TRUE(emission.bytes.empty());
  };
  expect("llm.model = #model,", "", "module lacks 'llm.model'");
  expect("llm.task = #task,", "", "module lacks 'llm.task'");
  expect("plan.target =", "llm.unused =", "module lacks 'plan.target'");
  expect("%z = plan.buffer in @activations at 2048",
         "%z = plan.buffer in @activations",
         "has no offset: plan the memory first");
  expect(
      "plan.kernel @scale \"scale, 2 columns\" code_object(@objects)",
      "plan.kernel @scale \"scale\" {\n^bb0:\n%c = llm.constant dense<0.0> : "
      "tensor<8x64xf32> : tensor<8x64xf32>\n}",
      "has no code object: generate code first");
  expect("vocab = 128,", "vocab = 4294967296,",
         "vocabulary size is 4294967296, which no plan can hold");
  expect("targets = [\"q_proj\", \"v_proj\"]", "targets = [1]",
         "targets of the adapter must be strings");
  Emission empty(
      "module attributes {llm.model = #llm.model<name = \"t\", "
      "hidden = 1, intermediate = 1, layers = 1, heads = 1, kv_heads "
      "= 1, head_dim = 1, vocab = 1, max_positions = 1, "
      "tied_embeddings = true>, llm.task = #llm.task<name = \"t\", "
      "head = causal_lm, labels = 0, batch = 1, max_length = 1, "
      "accumulation = 1>, plan.target = #plan.target<kind = \"cpu\", "
      "arch = \"a\", features = \"\">} {}");
  EXPECT_FALSE(empty.ok);
  EXPECT_NE(empty.errors.find("holds no plan.program"), std::string::npos)
      << empty.errors;
}

TEST(EmitPlanAdapter, IsNoneWithoutOne) {
  Emission emission(
      replaced(readFile("small-plan.mlir"), "llm.adapter = #adapter,", ""));
  ASSERT_TRUE(emission.ok) << emission.errors;
  auto *plan = fb::GetPlan(emission.bytes.data() + fb::kHeaderSize);
  EXPECT_EQ(plan->adapter()->kind()->str(), "none");
}

} // namespace
