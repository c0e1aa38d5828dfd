#include "runtime/executor/Session.h"

#include "runtime/plan/Inspect.h"
#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>

using namespace llamarun;
using namespace llamarun::test;

namespace {

std::string kernelBytes() {
  std::ifstream file(LLAMAC_TEST_KERNELS, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr std::uint64_t kTokens = 48, kHidden = 40, kOut = 33;

/// logits = row_norm(x W^T + x P^T, scale), with x given as a weight: a GEMM, a
/// GEMM that adds, a kernel, over two streams.
PlanBuilder normPlan() {
  using enum fb::DType;
  PlanBuilder b;
  b.plan.task->labels = kOut;
  auto x = b.tensor(fb::Role::Weight, "x", {kTokens, kHidden});
  auto w = b.tensor(fb::Role::Weight, "w", {kOut, kHidden});
  auto p = b.parameter("p", {kOut, kHidden});
  std::vector<float> scale(kOut);
  for (std::size_t i = 0; i < kOut; ++i)
    scale[i] = 0.5f + static_cast<float>(i) / 8;
  auto s = b.constant("scale", {kOut}, F32, scale.data());
  auto y = b.buffer(fb::Category::Activations, F32, {kTokens, kOut});
  auto code = b.code(fb::CodeFormat::ElfSharedObject, "x86-64", kernelBytes());
  auto &program = b.program(fb::ProgramKind::Evaluate, kTokens, kTokens);
  program.streams = 2;
  b.step(program, b.linear(x, w, y, kTokens, kOut, kHidden));
  b.step(program, b.linear(x, p, y, kTokens, kOut, kHidden), 1, {0}).beta = 1;
  auto &launch = b.step(program, fb::LaunchT{}, 0, {1});
  launch.kernel = b.kernel("row_norm", code);
  launch.reads = {y, s};
  launch.writes = {program.outputs.back()->buffer};
  launch.scalars = {kOut};
  launch.grid_x = kTokens / 2;
  launch.grid_y = 2;
  return b;
}

std::vector<float> randoms(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> result(count);
  for (auto &x : result)
    x = uniform(random);
  return result;
}

template <typename T> auto bytesOf(std::vector<T> &v) {
  return std::as_writable_bytes(std::span(v));
}

std::unique_ptr<Session> start(const PlanBuilder &builder,
                               unsigned threads = 2) {
  return std::make_unique<Session>(builder.load(),
                                   createDevice("cpu", {.threads = threads}));
}

template <typename F> std::string errorOf(ExitCode code, F &&f) {
  try {
    f();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

#define EXPECT_HAS(text, part)                                                 \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(Session, RunsGemmsAndAKernel) {
  auto x = randoms(kTokens * kHidden, 1), w = randoms(kOut * kHidden, 2),
       p = randoms(kOut * kHidden, 3);
  std::vector<double> expected;
  for (std::size_t i = 0; i < kTokens; ++i) {
    std::vector<double> row(kOut);
    double sum = 0;
    for (std::size_t j = 0; j < kOut; ++j) {
      for (std::size_t k = 0; k < kHidden; ++k)
        row[j] += double{x[i * kHidden + k]} *
                  (double{w[j * kHidden + k]} + double{p[j * kHidden + k]});
      sum += row[j] * row[j];
    }
    for (std::size_t j = 0; j < kOut; ++j)
      expected.push_back(row[j] / std::sqrt(sum / kOut + 1e-6) *
                         (0.5 + static_cast<double>(j) / 8));
  }
  std::vector<float> first;
  for (unsigned threads : {1u, 2u, 3u, 7u}) {
    auto session = start(normPlan(), threads);
    session->writeTensor(fb::Role::Weight, "x", bytesOf(x));
    session->writeTensor(fb::Role::Weight, "w", bytesOf(w));
    // In two parts, the second first.
    auto half = bytesOf(p).size() / 2;
    session->writeTensorPart(fb::Role::Parameter, "p", bytesOf(p).subspan(half),
                             half);
    session->writeTensorPart(fb::Role::Parameter, "p", bytesOf(p).first(half),
                             0);
    auto *program = session->find(fb::ProgramKind::Evaluate, 5);
    ASSERT_NE(program, nullptr);
    std::vector<float> got(kTokens * kOut);
    for (int repeat = 0; repeat < 3; ++repeat) { // a graph replays
      session->run(*program);
      session->readOutput(*program, "logits", bytesOf(got));
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], expected[i], 1e-4) << i;
      if (first.empty())
        first = got;
      ASSERT_EQ(std::memcmp(got.data(), first.data(), got.size() * 4), 0)
          << threads << " threads";
    }
    std::vector<float> back(p.size());
    session->readTensor(fb::Role::Parameter, "p", bytesOf(back));
    EXPECT_EQ(back, p);
  }
}

TEST(Session, DealsOutEveryItemOnceInWholeGrains) {
  constexpr std::int64_t items = 1001, grain = 16;
  for (unsigned threads : {1u, 2u, 3u, 7u}) {
    PlanBuilder b;
    auto counts = b.tensor(fb::Role::State, "counts", {items}, fb::DType::I64);
    auto starts = b.tensor(fb::Role::State, "starts", {items}, fb::DType::I64);
    auto &program = b.program(fb::ProgramKind::Evaluate, 16, 4);
    auto &launch = b.step(program, fb::LaunchT{});
    launch.kernel =
        b.kernel("count_items", b.code(fb::CodeFormat::ElfSharedObject,
                                       "x86-64", kernelBytes()));
    launch.writes = {counts, starts};
    launch.grid_x = 7;
    launch.grid_y = 11;
    launch.grid_z = 13;
    launch.grain = grain;
    auto session = start(b, threads);
    session->run(*session->find(fb::ProgramKind::Evaluate, 1));
    std::vector<std::int64_t> got(items);
    session->readTensor(fb::Role::State, "counts", bytesOf(got));
    EXPECT_EQ(got, std::vector<std::int64_t>(items, 1));
    session->readTensor(fb::Role::State, "starts", bytesOf(got));
    for (auto begin : got)
      EXPECT_EQ(begin % grain, 0);
  }
}

TEST(Session, AllocatesWhatThePlanPredicts) {
  auto session = start(normPlan());
  // Activations come with the program that needs them.
  EXPECT_EQ(session->allocatedBytes(fb::Category::Activations), 0u);
  for (std::size_t i = 0; i < session->plan().programCount(); ++i)
    session->prepare(session->plan().program(i));
  auto planned = plannedBytes(session->plan());
  for (std::size_t c = 0; c < kCategories; ++c)
    EXPECT_EQ(session->allocatedBytes(static_cast<fb::Category>(c)),
              planned[c]);
  EXPECT_EQ(planned[static_cast<std::size_t>(fb::Category::Weights)],
            (kTokens + kOut) * kHidden * sizeof(float));
}

TEST(Session, StartsWithConstantsAndZeros) {
  auto session = start(normPlan());
  std::vector<float> scale(kOut), p(kOut * kHidden, 1);
  session->readTensor(fb::Role::Constant, "scale", bytesOf(scale));
  EXPECT_EQ(scale[4], 1.0f);
  session->readTensor(fb::Role::Parameter, "p", bytesOf(p));
  EXPECT_EQ(p, std::vector<float>(p.size()));
}

TEST(Session, CopyFillAndCollectiveOfOne) {
  auto builder = smallPlan();
  builder.plan.grid.push_back(std::make_unique<fb::GridAxisT>());
  builder.plan.grid[0]->name = "dp";
  builder.plan.grid[0]->size = 1;
  auto state = builder.tensor(fb::Role::State, "copy", {4}, fb::DType::F32);
  auto &program = *builder.plan.programs[1];
  auto copied = static_cast<fb::CopyT *>(program.steps[3]->operation.value);
  auto &all = builder.step(program, fb::CollectiveT{}, 0, {3});
  all.axes = {0};
  all.source = copied->target;
  all.target = state;
  auto session = start(builder);
  session->run(*session->find(fb::ProgramKind::Evaluate, 1));
  std::vector<float> got(4);
  session->readTensor(fb::Role::State, "copy", bytesOf(got));
  EXPECT_EQ(got, (std::vector<float>{1, 2, 3, 4}));
}

TEST(Session, InputsAndOutputsAreChecked) {
  auto session = start(smallPlan());
  auto *program = session->find(fb::ProgramKind::Train, 16, 4);
  ASSERT_NE(program, nullptr);
  EXPECT_TRUE(session->hasInput(*program, "hyper"));
  EXPECT_FALSE(session->hasInput(*program, "random"));
  EXPECT_TRUE(session->hasOutput(*program, "grad_norm"));
  std::vector<std::int32_t> ids(16, 3);
  session->writeInput(*program, "input_ids", bytesOf(ids));
  EXPECT_HAS(errorOf(ExitCode::BadInput,
                     [&] {
                       session->writeInput(*program, "input_ids",
                                           bytesOf(ids).first(60));
                     }),
             "'input_ids' has 64 bytes, not 60");
  EXPECT_HAS(
      errorOf(ExitCode::BadInput,
              [&] { session->writeInput(*program, "random", bytesOf(ids)); }),
      "no input 'random'");
  std::vector<float> w(16);
  EXPECT_HAS(errorOf(ExitCode::BadInput,
                     [&] {
                       session->writeTensor(fb::Role::Weight, "nope",
                                            bytesOf(w));
                     }),
             "no weight 'nope'");
  EXPECT_HAS(errorOf(ExitCode::BadInput,
                     [&] {
                       session->writeTensorPart(fb::Role::Weight,
                                                "model.w.weight", bytesOf(w),
                                                ~0ull);
                     }),
             "is outside");
}

TEST(Session, DoesNotFit) {
  auto builder = smallPlan();
  for (auto &allocation : builder.plan.allocations)
    if (allocation->category == fb::Category::Activations) {
      allocation->name = "arena";
      allocation->bytes = 1ull << 46;
    }
  auto message = errorOf(ExitCode::DoesNotFit, [&] { start(builder); });
  EXPECT_HAS(message, "needs 67108864.0 MiB");
  EXPECT_HAS(message, "arena (activations): 67108864.0 MiB");
}

TEST(Session, WrongTargetOrGrid) {
  auto builder = smallPlan("cuda");
  EXPECT_HAS(errorOf(ExitCode::BadInput, [&] { start(builder); }),
             "plan is for target 'cuda', the device is 'cpu'");
  builder = smallPlan();
  builder.plan.grid.push_back(std::make_unique<fb::GridAxisT>());
  builder.plan.grid[0]->name = "dp";
  builder.plan.grid[0]->size = 2;
  EXPECT_HAS(errorOf(ExitCode::BadInput, [&] { start(builder); }),
             "grid of 2 devices");
}

TEST(Session, MissingKernelIsNamed) {
  auto builder = normPlan();
  builder.plan.kernels[0]->symbol = "nothing_here";
  EXPECT_HAS(errorOf(ExitCode::BadInput, [&] { start(builder); }),
             "no function 'nothing_here'");
}

TEST(Session, ErrorsNameProgramStepAndLocation) {
  auto builder = smallPlan();
  auto &gemm = *static_cast<fb::GemmT *>(
      builder.plan.programs[1]->steps[1]->operation.value);
  for (auto *operand : {&gemm.a, &gemm.b, &gemm.d})
    *operand =
        builder.buffer(fb::Category::Activations, fb::DType::F64, {16, 8});
  auto session = start(builder);
  auto *program = session->find(fb::ProgramKind::Evaluate, 1);
  EXPECT_HAS(
      errorOf(ExitCode::BadInput, [&] { session->run(*program); }),
      "program 'evaluate_16', step 1 (gemm, loc(\"test.mlir\":1:1)): the CPU "
      "device multiplies f32");
}

} // namespace
