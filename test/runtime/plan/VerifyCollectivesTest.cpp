#include "runtime/support/Error.h"
#include "test/runtime/comm/CommPlan.h"

#include <functional>
#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

using enum fb::CollectiveKind;

/// What is wrong with the plan; empty if nothing is.
std::string complaint(const PlanBuilder &builder) {
  try {
    builder.load();
    return "";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::BadInput);
    return error.what();
  }
}

#define EXPECT_HAS(text, part)                                                 \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

/// A grid of 2 x 4 and one program with two streams.
struct Base {
  PlanBuilder builder = gridPlan(2, 4);
  fb::ProgramT &program = builder.program(fb::ProgramKind::Train, 16, 4);
  Base() {
    program.streams = 3;
    PlanBuilder::step(program, fb::FillT{}).target = buffer({8});
  }
  std::uint32_t buffer(const PlanBuilder::Shape &shape,
                       fb::DType dtype = fb::DType::F32) {
    return builder.buffer(fb::Category::Activations, dtype, shape);
  }
};

/// One collective with these operands is refused with that message, or is fine.
std::string complaintOf(fb::CollectiveKind kind, std::vector<std::uint8_t> axes,
                        const PlanBuilder::Shape &source,
                        const PlanBuilder::Shape &target,
                        fb::DType dtype = fb::DType::F32) {
  Base base;
  auto from = base.buffer(source, dtype);
  collective(base.program, kind, std::move(axes), from,
             base.buffer(target, dtype));
  return complaint(base.builder);
}

TEST(VerifyCollectives, Axes) {
  EXPECT_EQ(complaintOf(AllReduceSum, {0, 1}, {8}, {8}), "");
  EXPECT_HAS(complaintOf(AllReduceSum, {2}, {8}, {8}), "no grid axis 2");
  EXPECT_HAS(complaintOf(AllReduceSum, {}, {8}, {8}), "no grid axis");
  EXPECT_HAS(complaintOf(AllReduceSum, {1, 0}, {8}, {8}), "do not ascend");
  EXPECT_HAS(complaintOf(AllReduceSum, {1, 1}, {8}, {8}), "repeat");
}

TEST(VerifyCollectives, Sizes) {
  for (auto kind : {AllReduceSum, AllReduceMax, Broadcast}) {
    EXPECT_EQ(complaintOf(kind, {1}, {8}, {2, 4}), "");
    EXPECT_HAS(complaintOf(kind, {1}, {8}, {32}),
               "source of 8 and target of 32 elements over 4 devices");
  }
  EXPECT_EQ(complaintOf(AllGather, {1}, {2}, {8}), "");
  EXPECT_HAS(complaintOf(AllGather, {0}, {2}, {8}), "over 2 devices");
  EXPECT_HAS(complaintOf(AllGather, {1}, {8}, {2}), "over 4 devices");
  EXPECT_HAS(complaintOf(AllGather, {1}, {2}, {9}), "over 4 devices");
  EXPECT_EQ(complaintOf(ReduceScatterSum, {0, 1}, {16}, {2}), "");
  EXPECT_HAS(complaintOf(ReduceScatterSum, {0}, {16}, {2}), "over 2 devices");
}

TEST(VerifyCollectives, Types) {
  EXPECT_HAS(complaintOf(AllReduceSum, {1}, {8}, {8}, fb::DType::U8),
             "a reduction of u8");
  EXPECT_EQ(complaintOf(AllGather, {1}, {2}, {8}, fb::DType::U8), "");
  EXPECT_EQ(complaintOf(AllReduceMax, {1}, {8}, {8}, fb::DType::BF16), "");
  Base base;
  collective(base.program, AllReduceSum, {1}, base.buffer({8}),
             base.buffer({8}, fb::DType::I32));
  EXPECT_HAS(complaint(base.builder), "differ in dtype");
}

TEST(VerifyCollectives, Ranges) {
  Base base;
  auto whole = base.buffer({16});
  auto &of = *base.builder.plan.buffers[whole];
  auto part = [&](std::uint64_t first) {
    return base.builder.view(of.allocation, of.offset + 4 * first,
                             fb::DType::F32, {8});
  };
  auto &op = collective(base.program, AllReduceSum, {1}, part(0), part(0));
  EXPECT_EQ(complaint(base.builder), ""); // in place
  op.target = part(8);
  EXPECT_EQ(complaint(base.builder), "");
  op.target = part(4);
  EXPECT_HAS(complaint(base.builder), "overlap in part");
  // A part of the target is no place for the source: it is another on every
  // rank.
  op.kind = AllGather;
  op.axes = {0};
  op.source = part(0);
  op.target = whole;
  EXPECT_HAS(complaint(base.builder), "overlap in part");
}

TEST(VerifyCollectives, PitchIsRefused) {
  Base base;
  auto x = base.buffer({4, 4});
  collective(base.program, AllReduceSum, {1}, x, x);
  base.builder.plan.buffers[x]->shape = {4, 2};
  base.builder.plan.buffers[x]->pitch = 4;
  EXPECT_NE(complaint(base.builder), "");
}

// --- buckets ----------------------------------------------------------------

/// Two buckets; `change` may break the second. Gradients over dp, activations
/// of the bucket's size over tp.
std::string
twoBuckets(const std::function<void(PlanBuilder &, fb::ProgramT &)> &change,
           unsigned dp = 2) {
  auto builder = gridPlan(dp, 2);
  auto g = builder.buffer(fb::Category::Activations, fb::DType::F32, {100});
  for (std::uint32_t tokens : {16u, 32u}) {
    auto x =
        builder.buffer(fb::Category::Activations, fb::DType::F32, {tokens, 8});
    auto &program = builder.program(fb::ProgramKind::Train, tokens, 4);
    collective(program, AllReduceSum, {1}, x, x);
    collective(program, AllReduceSum, {0}, g, g);
    collective(program, AllReduceMax, {0, 1}, g, g);
  }
  change(builder, *builder.plan.programs[1]);
  return complaint(builder);
}

fb::CollectiveT &at(fb::ProgramT &program, std::size_t step) {
  return *static_cast<fb::CollectiveT *>(program.steps[step]->operation.value);
}

TEST(VerifyCollectives, BucketsAgreeOnWhatCrossesDataParallelRanks) {
  EXPECT_EQ(twoBuckets([](auto &, auto &) {}), "");
  auto half = [](PlanBuilder &b, fb::ProgramT &p) {
    auto g = b.buffer(fb::Category::Activations, fb::DType::F32, {50});
    at(p, 1).source = at(p, 1).target = g;
  };
  auto text = twoBuckets(half);
  EXPECT_HAS(text, "programs 'train_16' and 'train_32' differ");
  EXPECT_HAS(text, "number 0 is step 1 (all_reduce sum");
  EXPECT_HAS(text, "of 100 elements");
  EXPECT_EQ(twoBuckets(half, 1), ""); // nobody to disagree with
  EXPECT_HAS(twoBuckets([](auto &, auto &p) { at(p, 1).kind = AllReduceMax; }),
             "differ");
  EXPECT_HAS(twoBuckets([](auto &, auto &p) {
               at(p, 1).axes = {0, 1};
             }),
             "differ");
  EXPECT_HAS(twoBuckets([](auto &, auto &p) { p.steps.pop_back(); }),
             "have 2 and 1 data-parallel collectives");
  // What goes over tp alone is between ranks that run the same program.
  EXPECT_EQ(twoBuckets([](auto &, auto &p) { at(p, 0).kind = AllReduceMax; }),
            "");
  // Another kind of program is another step for all.
  EXPECT_EQ(twoBuckets([](auto &b, auto &p) {
              p.steps.pop_back();
              p.kind = fb::ProgramKind::Accumulate;
              p.inputs.pop_back(); // hyper
              p.outputs.resize(1); // loss
            }),
            "");
}

// On a GPU streams have communicators of their own: only what is on one of them
// must agree. On a CPU everything is one sequence.
TEST(VerifyCollectives, StreamsInterleaveOnGpusOnly) {
  for (auto *kind : {"cuda", "cpu"}) {
    auto builder = gridPlan(2, 1, kind);
    auto g = builder.buffer(fb::Category::Activations, fb::DType::F32, {100});
    auto h = builder.buffer(fb::Category::Activations, fb::DType::F32, {10});
    for (std::uint32_t tokens : {16u, 32u}) {
      auto &program = builder.program(fb::ProgramKind::Train, tokens, 4);
      program.streams = 3;
      bool swapped = tokens == 32;
      auto first = swapped ? h : g, second = swapped ? g : h;
      collective(program, AllReduceSum, {0}, first, first, swapped ? 0 : 2);
      collective(program, AllReduceSum, {0}, second, second, swapped ? 2 : 0);
    }
    if (std::string(kind) == "cuda")
      EXPECT_EQ(complaint(builder), "");
    else
      EXPECT_HAS(complaint(builder), "differ");
    // On one stream it is wrong everywhere.
    for (auto &program : builder.plan.programs)
      for (auto &step : program->steps)
        step->stream = 2;
    EXPECT_HAS(complaint(builder), "differ");
  }
}

// A sum that a kernel takes: the launch behind it on its stream, and nothing
// else.
struct SumPlan {
  PlanBuilder builder;
  fb::ProgramT *program = nullptr;
  fb::CollectiveT *sum = nullptr;
  fb::LaunchT *launch = nullptr;
  std::uint32_t x, y;

  explicit SumPlan(const std::string &kind = "cuda",
                   fb::DType dtype = fb::DType::BF16)
      : builder(gridPlan(2, 2, kind)) {
    builder.kernel("f", kind == "cuda"
                            ? builder.code(fb::CodeFormat::Cubin, "sm_90", "x")
                            : builder.code(fb::CodeFormat::ElfSharedObject,
                                           "x86-64", "x"));
    x = builder.buffer(fb::Category::Activations, dtype, {16, 8});
    y = builder.buffer(fb::Category::Activations, dtype, {16, 8});
    program = &builder.program(fb::ProgramKind::Train, 16, 4);
    program->streams = 2;
    sum = &collective(*program, AllReduceSum, {1}, x, x);
    sum->in_kernel = true;
    auto g = builder.buffer(fb::Category::Activations, fb::DType::F32, {8});
    PlanBuilder::step(*program, fb::FillT{}, 1).target = g;
    launch = &PlanBuilder::step(*program, fb::LaunchT{});
    launch->reads = {y, x};
    launch->writes = {y};
    launch->sums = 1;
  }
};

std::string sumComplaint(const std::function<void(SumPlan &)> &change) {
  SumPlan plan;
  change(plan);
  return complaint(plan.builder);
}

TEST(VerifyCollectives, SumsInKernels) {
  EXPECT_EQ(sumComplaint([](auto &) {}), "");
  EXPECT_EQ(complaint(SumPlan("cuda", fb::DType::F32).builder), "");
  EXPECT_HAS(complaint(SumPlan("cpu").builder), "not a GPU's");
  EXPECT_HAS(complaint(SumPlan("cuda", fb::DType::F64).builder),
             "a sum of f64 in a kernel");
  EXPECT_HAS(sumComplaint([](auto &p) { p.sum->kind = AllReduceMax; }),
             "only an all_reduce sum in place");
  EXPECT_HAS(sumComplaint([](auto &p) { p.sum->target = p.y; }),
             "only an all_reduce sum in place");
  EXPECT_HAS(sumComplaint([](auto &p) {
               p.sum->axes = {0, 1};
             }),
             "a sum over dp in a kernel");
  EXPECT_HAS(sumComplaint([](auto &p) { p.launch->sums = 2; }),
             "sums read 2 of 2");
  EXPECT_HAS(sumComplaint([](auto &p) { p.launch->sums = -2; }),
             "sums read -2 of 2");
  EXPECT_HAS(sumComplaint([](auto &p) { p.launch->sums = 0; }),
             "the one before it is of " + std::to_string(SumPlan().x));
  EXPECT_HAS(sumComplaint([](auto &p) { p.launch->sums = -1; }),
             "in a kernel before it is not taken");
  EXPECT_HAS(sumComplaint([](auto &p) { p.sum->in_kernel = false; }),
             "takes a sum, but none is before it");
  EXPECT_HAS(sumComplaint([](auto &p) { p.program->steps.back()->stream = 1; }),
             "takes a sum, but none is before it");
  EXPECT_HAS(sumComplaint([](auto &p) {
               PlanBuilder::step(*p.program, fb::FillT{}).target = p.y;
               std::swap(p.program->steps[2], p.program->steps[3]);
             }),
             "in a kernel before it is not taken");
  EXPECT_HAS(sumComplaint([](auto &p) { p.program->steps.pop_back(); }),
             "in a kernel before it is not taken");
}

} // namespace
