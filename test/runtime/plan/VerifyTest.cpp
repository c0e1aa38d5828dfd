// One broken plan for each thing that the verifier promises to catch, and
// random damage under a correct checksum.
#include "runtime/plan/Verify.h"

#include "runtime/plan/Inspect.h"
#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <sstream>

using namespace llamarun;
using namespace llamarun::test;

namespace {

struct Damage {
  const char *name;
  const char *message; ///< part of the error
  std::function<void(PlanBuilder &)> apply;
};

// Without it GoogleTest names the case by the bytes of the pointers.
void PrintTo(const Damage &damage, std::ostream *out) { *out << damage.name; }

template <typename Operation>
Operation &operation(PlanBuilder &b, std::size_t step,
                     std::size_t program = 0) {
  return *static_cast<Operation *>(
      b.plan.programs[program]->steps[step]->operation.value);
}
fb::TensorT &tensor(PlanBuilder &b, fb::Role role) {
  for (auto &t : b.plan.tensors)
    if (t->role == role)
      return *t;
  throw std::logic_error("no such tensor");
}
fb::BufferT &bufferOf(PlanBuilder &b, fb::Role role) {
  return *b.plan.buffers[tensor(b, role).buffer];
}
void addLaunch(PlanBuilder &b, std::function<void(fb::LaunchT &)> change) {
  b.kernel("f", b.code(fb::CodeFormat::ElfSharedObject, "x86-64", "elf"));
  auto &launch = b.step(*b.plan.programs[0], fb::LaunchT{});
  launch.writes = {0};
  change(launch);
}
constexpr auto kHuge = std::numeric_limits<std::uint64_t>::max();

const Damage kDamages[] = {
    // header
    {"NoTarget", "no target", [](auto &b) { b.plan.target.reset(); }},
    {"Target", "unknown target 'tpu'",
     [](auto &b) { b.plan.target->kind = "tpu"; }},
    {"NoModel", "no model", [](auto &b) { b.plan.model.reset(); }},
    {"ModelZero", "heads is 0", [](auto &b) { b.plan.model->heads = 0; }},
    {"NoTask", "no task", [](auto &b) { b.plan.task.reset(); }},
    {"TaskLabels", "0 labels", [](auto &b) { b.plan.task->labels = 0; }},
    {"NoAdapter", "no adapter", [](auto &b) { b.plan.adapter.reset(); }},
    {"Grid", "more than 65536",
     [](auto &b) {
       for (int i = 0; i < 2; ++i) {
         b.plan.grid.push_back(std::make_unique<fb::GridAxisT>());
         b.plan.grid.back()->name = "x";
         b.plan.grid.back()->size = 65536;
       }
     }},
    {"SourceGrid", "more than 65536",
     [](auto &b) {
       for (int i = 0; i < 2; ++i) {
         b.plan.source_grid.push_back(std::make_unique<fb::GridAxisT>());
         b.plan.source_grid.back()->name = "x";
         b.plan.source_grid.back()->size = 257;
       }
     }},
    {"Side", "unknown side",
     [](auto &b) {
       tensor(b, fb::Role::State).side = static_cast<fb::Side>(3);
     }},
    {"Part", "part 1 of 1",
     [](auto &b) { tensor(b, fb::Role::State).part = 1; }},
    {"TargetAxis", "missing or used axis",
     [](auto &b) {
       // The plan's own grid is not the target's.
       b.plan.grid.push_back(std::make_unique<fb::GridAxisT>());
       b.plan.grid.back()->name = "tp";
       b.plan.grid.back()->size = 2;
       auto &state = tensor(b, fb::Role::State);
       state.side = fb::Side::Target;
       state.global_shape = {2};
       state.sharding.push_back(std::make_unique<fb::DimShardingT>());
       state.sharding.back()->axes = {0};
     }},
    {"ReshardInputs", "too many inputs",
     [](auto &b) { b.plan.programs[0]->kind = fb::ProgramKind::Reshard; }},
    {"NoPrograms", "no programs", [](auto &b) { b.plan.programs.clear(); }},
    // memory
    {"Alignment", "alignment of 3",
     [](auto &b) { b.plan.allocations[0]->alignment = 3; }},
    {"AllocationHuge", "bytes",
     [](auto &b) { b.plan.allocations[0]->bytes = kHuge; }},
    {"AllocationTotal", "2^47",
     [](auto &b) {
       for (auto &a : b.plan.allocations)
         a->bytes = 1ull << 46;
     }},
    {"AllocationName", "control characters",
     [](auto &b) { b.plan.allocations[0]->name = "a\x1b[2J"; }},
    {"Category", "unknown category",
     [](auto &b) {
       b.plan.allocations[0]->category = static_cast<fb::Category>(99);
     }},
    {"BufferAllocation", "allocation 99 of",
     [](auto &b) { b.plan.buffers[0]->allocation = 99; }},
    {"BufferOutside", "outside its allocation",
     [](auto &b) { b.plan.buffers[0]->offset = 1 << 20; }},
    {"BufferWraps", "outside its allocation",
     [](auto &b) { b.plan.buffers[0]->offset = kHuge - 3; }},
    {"BufferProductWraps", "empty or too large",
     [](auto &b) {
       b.plan.buffers[0]->shape = {1ull << 32, 1ull << 32};
     }},
    {"BufferEmpty", "empty or too large",
     [](auto &b) {
       b.plan.buffers[0]->shape = {0, 4};
     }},
    {"BufferUnaligned", "does not fit the alignment",
     [](auto &b) { b.plan.buffers[1]->offset = 2; }},
    {"BufferDtype", "unknown dtype",
     [](auto &b) { b.plan.buffers[0]->dtype = static_cast<fb::DType>(50); }},
    {"BufferRank", "rank",
     [](auto &b) { b.plan.buffers[0]->shape.assign(9, 1); }},
    // tensors
    {"TensorBuffer", "is buffer 999",
     [](auto &b) { tensor(b, fb::Role::Weight).buffer = 999; }},
    {"TensorName", "name is missing",
     [](auto &b) { tensor(b, fb::Role::Weight).name.clear(); }},
    {"TensorTwice", "listed twice",
     [](auto &b) { b.tensor(fb::Role::Weight, "model.w.weight", {1}); }},
    {"TensorBothKinds", "both a frozen weight and a parameter",
     [](auto &b) { b.tensor(fb::Role::Weight, "score.weight", {1}); }},
    {"TensorCategory", "in an allocation for",
     [](auto &b) { tensor(b, fb::Role::Weight).role = fb::Role::State; }},
    {"TensorOverlap", "overlap in memory",
     [](auto &b) {
       b.tensor(fb::Role::Weight, "other", {2, 8});
       b.plan.buffers[b.plan.tensors.back()->buffer]->offset = 32;
     }},
    {"TensorGlobalShape", "is not global shape",
     [](auto &b) {
       tensor(b, fb::Role::Weight).global_shape = {2, 16};
     }},
    {"TensorAxis", "missing or used axis",
     [](auto &b) {
       auto &t = tensor(b, fb::Role::Weight);
       t.sharding.push_back(std::make_unique<fb::DimShardingT>());
       t.sharding[0]->axes = {70};
     }},
    {"NoInit", "no init",
     [](auto &b) { tensor(b, fb::Role::Weight).init.reset(); }},
    {"InitNaN", "not finite",
     [](auto &b) { tensor(b, fb::Role::Weight).init->a = std::nan(""); }},
    {"ConstantIndex", "constant 7 of 1",
     [](auto &b) { tensor(b, fb::Role::Constant).init->constant = 7; }},
    {"ConstantSize", "its constant has 12 bytes",
     [](auto &b) { b.plan.constants[0]->data.resize(12); }},
    {"NoGradient", "a parameter without gradient",
     [](auto &b) {
       std::erase_if(b.plan.tensors,
                     [](auto &t) { return t->role == fb::Role::Gradient; });
     }},
    {"GradientShape", "its gradient has shape [16]",
     [](auto &b) {
       bufferOf(b, fb::Role::Gradient).shape = {16};
       tensor(b, fb::Role::Gradient).global_shape = {16};
     }},
    {"OrphanGradient", "that is no parameter",
     [](auto &b) { b.tensor(fb::Role::Gradient, "x", {1}); }},
    // code
    {"CodeFormat", "not the target's",
     [](auto &b) { b.code(fb::CodeFormat::Cubin, "sm_90", "x"); }},
    {"CodeEmpty", "no data",
     [](auto &b) { b.code(fb::CodeFormat::ElfSharedObject, "x86-64", ""); }},
    {"KernelCode", "code object 3 of 0", [](auto &b) { b.kernel("f", 3); }},
    // programs
    {"ProgramTwice", "two programs of one kind",
     [](auto &b) { b.plan.programs[1]->kind = fb::ProgramKind::Train; }},
    {"ProgramName", "used twice",
     [](auto &b) { b.plan.programs[0]->name = b.plan.programs[1]->name; }},
    {"ProgramTokens", "0 tokens",
     [](auto &b) { b.plan.programs[0]->tokens = 0; }},
    {"ProgramStreams", "65 streams",
     [](auto &b) { b.plan.programs[0]->streams = 65; }},
    {"ProgramArena", "activation arena",
     [](auto &b) { b.plan.programs[0]->activation_bytes = 1 << 30; }},
    {"NoSteps", "no steps", [](auto &b) { b.plan.programs[0]->steps.clear(); }},
    {"InputMissing", "input 'input_ids' is missing",
     [](auto &b) {
       b.plan.programs[0]->inputs.erase(b.plan.programs[0]->inputs.begin());
     }},
    {"InputUnknown", "unknown input 'masks'",
     [](auto &b) { b.plan.programs[0]->inputs[0]->name = "masks"; }},
    {"InputTwice", "'positions' is bound twice",
     [](auto &b) { b.plan.programs[0]->inputs[0]->name = "positions"; }},
    {"InputDtype", "instead of i32 [16]",
     [](auto &b) {
       b.plan.buffers[b.plan.programs[0]->inputs[0]->buffer]->dtype =
           fb::DType::F32;
     }},
    {"InputOverlap", "overlaps another input",
     [](auto &b) {
       b.plan.buffers[b.plan.programs[0]->inputs[1]->buffer]->offset = 4;
     }},
    {"InputCategory", "lies in an allocation for activations",
     [](auto &b) {
       b.plan.programs[0]->inputs[0]->buffer =
           b.buffer(fb::Category::Activations, fb::DType::I32, {16});
     }},
    {"OutputMissing", "output 'learning_rate' is missing",
     [](auto &b) { b.plan.programs[0]->outputs.pop_back(); }},
    {"LogitsShape", "instead of f32 [4, 2]",
     [](auto &b) {
       b.plan.buffers[b.plan.programs[1]->outputs.back()->buffer]->shape = {8};
     }},
    // steps
    {"StepStream", "stream 2 of 2",
     [](auto &b) { b.plan.programs[0]->steps[1]->stream = 2; }},
    {"StepWaitsForItself", "not before it",
     [](auto &b) { b.plan.programs[0]->steps[1]->waits = {1}; }},
    {"StepLocation", "location 5 of 1",
     [](auto &b) { b.plan.programs[0]->steps[1]->location = 5; }},
    {"StepNothing", "no operation",
     [](auto &b) { b.plan.programs[0]->steps[1]->operation.Reset(); }},
    {"GemmBuffer", "A is buffer 99",
     [](auto &b) { operation<fb::GemmT>(b, 1).a = 99; }},
    {"GemmTooLong", "A takes 17 x 8",
     [](auto &b) { operation<fb::GemmT>(b, 1).m = 17; }},
    {"GemmLeading", "A takes 16 x 8 elements with leading dimension 7",
     [](auto &b) { operation<fb::GemmT>(b, 1).lda = 7; }},
    {"GemmLeadingLarge", "D takes",
     [](auto &b) { operation<fb::GemmT>(b, 1).ldd = 3; }},
    {"GemmTransposed", "A takes 8 x 16",
     [](auto &b) { operation<fb::GemmT>(b, 1).transpose_a = true; }},
    {"GemmZero", "is 0 or above",
     [](auto &b) { operation<fb::GemmT>(b, 1).k = 0; }},
    {"GemmWraps", "is 0 or above",
     [](auto &b) { operation<fb::GemmT>(b, 1).m = kHuge; }},
    {"GemmInPlace", "D overlaps an operand",
     [](auto &b) {
       auto &gemm = operation<fb::GemmT>(b, 1);
       gemm.d = gemm.a;
       gemm.ldd = 8;
     }},
    {"GemmDtype", "operands are",
     [](auto &b) {
       b.plan.buffers[operation<fb::GemmT>(b, 1).a]->dtype = fb::DType::I32;
     }},
    {"GemmNaN", "alpha or beta",
     [](auto &b) { operation<fb::GemmT>(b, 1).alpha = std::nanf(""); }},
    {"CopyIntoConstant", "writes to a constant",
     [](auto &b) {
       auto &copy = operation<fb::CopyT>(b, 3);
       std::swap(copy.source, copy.target);
     }},
    {"CopySize", "differ in size",
     [](auto &b) { operation<fb::CopyT>(b, 3).target = 0; }},
    {"CopyOntoItself", "overlap",
     [](auto &b) {
       auto &copy = operation<fb::CopyT>(b, 3);
       copy.source = copy.target;
     }},
    {"FillValue", "is no i32",
     [](auto &b) {
       auto &fill = operation<fb::FillT>(b, 0);
       fill.target = b.buffer(fb::Category::Activations, fb::DType::I32, {4});
       fill.value = 1e10;
     }},
    {"LaunchKernel", "kernel 4 of 1",
     [](auto &b) { addLaunch(b, [](auto &l) { l.kernel = 4; }); }},
    {"LaunchRead", "a read is buffer 77",
     [](auto &b) { addLaunch(b, [](auto &l) { l.reads = {77}; }); }},
    {"LaunchWritesNothing", "writes nothing",
     [](auto &b) { addLaunch(b, [](auto &l) { l.writes.clear(); }); }},
    {"LaunchGrid", "grid is empty or above",
     [](auto &b) {
       addLaunch(b, [](auto &l) { l.grid_x = l.grid_y = 65536; });
     }},
    {"LaunchBlock", "block is empty or above",
     [](auto &b) { addLaunch(b, [](auto &l) { l.block_x = 1025; }); }},
    {"LaunchGrain", "grain",
     [](auto &b) { addLaunch(b, [](auto &l) { l.grain = 0; }); }},
    {"LaunchArguments", "arguments",
     [](auto &b) { addLaunch(b, [](auto &l) { l.reads.assign(501, 0); }); }},
    {"CollectiveAxis", "no grid axis",
     [](auto &b) { b.step(*b.plan.programs[0], fb::CollectiveT{}); }},
};

class VerifyDamage : public testing::TestWithParam<Damage> {};

TEST_P(VerifyDamage, IsRefused) {
  auto builder = smallPlan();
  ASSERT_NO_THROW(builder.load());
  GetParam().apply(builder);
  try {
    builder.load();
    FAIL() << "accepted";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::BadInput);
    EXPECT_NE(std::string(error.what()).find(GetParam().message),
              std::string::npos)
        << error.what();
  }
}
INSTANTIATE_TEST_SUITE_P(All, VerifyDamage, testing::ValuesIn(kDamages),
                         [](auto &info) { return info.param.name; });

TEST(Verify, StepErrorsNameProgramStepAndLocation) {
  auto builder = smallPlan();
  operation<fb::GemmT>(builder, 1).a = 99;
  try {
    builder.load();
    FAIL();
  } catch (const Error &error) {
    EXPECT_NE(std::string(error.what())
                  .find("program 'train_16', step 1 (gemm, "
                        "loc(\"test.mlir\":1:1)): "),
              std::string::npos)
        << error.what();
  }
}

// [x, t] with one leading dimension: t's columns beside x's are no overlap.
TEST(Verify, ColumnBlocksOfOneMatrixAreDisjoint) {
  for (std::uint64_t column : {8u, 7u}) {
    auto builder = smallPlan();
    auto wide =
        builder.buffer(fb::Category::Activations, fb::DType::F32, {16, 10});
    auto &at = *builder.plan.buffers[wide];
    auto t = builder.view(at.allocation, at.offset + column * 4, fb::DType::F32,
                          {15 * 10 + 2});
    auto &gemm = operation<fb::GemmT>(builder, 1);
    gemm.a = wide;
    gemm.lda = 10;
    gemm.d = t;
    gemm.ldd = 10;
    if (column == 8)
      EXPECT_NO_THROW(builder.load());
    else
      EXPECT_THROW(builder.load(), Error);
  }
}

// Damage that keeps the checksum right: the verifiers must refuse the plan or
// find it sound; printing a plan walks everything that a session would.
TEST(Verify, SurvivesRandomDamage) {
  auto builder = smallPlan();
  addLaunch(builder, [](auto &launch) {
    launch.reads = {1};
    launch.scalars = {1, -1};
  });
  const auto original = builder.payload();
  std::mt19937 random(1);
  int accepted = 0, rejected = 0;
  auto attempt = [&](const std::string &payload) {
    try {
      auto plan = PlanBuilder::parse(PlanBuilder::wrap(payload));
      std::ostringstream text;
      inspect(*plan, text);
      inspectJson(*plan);
      for (std::size_t i = 0; i < plan->bufferCount(); ++i)
        ASSERT_LE(plan->buffer(i).offset() + plan->rows(i).span(),
                  plan->allocation(plan->buffer(i).allocation()).bytes());
      ++accepted;
    } catch (const Error &error) {
      ASSERT_EQ(error.code(), ExitCode::BadInput);
      ++rejected;
    }
  };
  for (std::size_t bit = 0; bit < 8 * original.size(); ++bit) {
    auto payload = original;
    payload[bit / 8] ^= static_cast<char>(1 << bit % 8);
    attempt(payload);
  }
  for (int round = 0; round < 20000; ++round) {
    auto payload = original;
    for (unsigned i = 0, n = 1 + random() % 6; i < n; ++i) {
      auto at = random() % payload.size();
      switch (random() % 3) {
      case 0:
        payload[at] = static_cast<char>(random());
        break;
      case 1: // a plausible small offset or index
        at &= ~std::size_t{3};
        payload.replace(at, 4,
                        std::string{static_cast<char>(random()), 0, 0, 0});
        break;
      case 2:
        at &= ~std::size_t{3};
        payload.replace(at, 4, "\xff\xff\xff\xff");
        break;
      }
      payload.resize(original.size());
    }
    if (round % 16 == 0)
      payload.resize(random() % payload.size());
    attempt(payload);
  }
  // Both happen: names and hyperparameters may change, offsets may not.
  EXPECT_GT(accepted, 100);
  EXPECT_GT(rejected, 10000);
}

} // namespace
