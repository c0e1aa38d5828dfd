// Sessions on a GPU: runs that overlap with the host, early launches, tensors
// with a pitch, weights through staging buffers, errors that name their step.
#include "runtime/executor/Session.h"
#include "runtime/io/DType.h"
#include "runtime/support/Error.h"
#include "runtime/train/LoadWeights.h"
#include "test/gpu/GpuTestKernels.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <unistd.h>

namespace llamarun {
namespace {

using namespace llamarun::test;
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class GpuSession : public testing::Test {
protected:
  void SetUp() override {
    try {
      createDevice("cuda");
    } catch (const Error &error) {
      GTEST_SKIP() << "no GPU here: " << error.what();
    }
  }
  static std::unique_ptr<Session> start(const PlanBuilder &builder,
                                        bool debugSync = false) {
    return std::make_unique<Session>(builder.load(), createDevice("cuda"),
                                     SessionOptions{.debugSync = debugSync});
  }
};

// Few blocks, so that several launches fit on the GPU at once.
constexpr std::int64_t kCount = 1 << 13;

/// 20 launches of `next` from x to y and back, each early if `programmatic`, on
/// the second stream after a fill of the first. Then the loss: x[0] and the
/// input loss_scale.
PlanBuilder chainPlan(bool programmatic, std::int64_t cycles = 20000) {
  PlanBuilder b("cuda", "sm_90");
  auto code = b.code(fb::CodeFormat::Ptx, "sm_90", kTestPtx);
  auto next = b.kernel("next", code), sum = b.kernel("sum", code);
  std::uint64_t n = kCount;
  auto x = b.tensor(fb::Role::State, "x", {n});
  auto y = b.tensor(fb::Role::State, "y", {n});
  auto &program = b.program(fb::ProgramKind::Train, 16, 4);
  program.streams = 2;
  b.step(program, fb::FillT{}).target = y;
  for (int i = 0; i < 20; ++i) {
    auto &launch = b.step(program, fb::LaunchT{}, 1,
                          i ? std::vector<std::uint32_t>{}
                            : std::vector<std::uint32_t>{0});
    launch.kernel = next;
    launch.reads = {i % 2 ? y : x};
    launch.writes = {i % 2 ? x : y};
    launch.scalars = {kCount, cycles};
    launch.grid_x = kCount / 256;
    launch.block_x = 256;
    launch.programmatic = programmatic;
  }
  auto &launch = b.step(program, fb::LaunchT{}, 0, {20});
  launch.kernel = sum;
  auto bound = [](auto &side, const std::string &name) {
    for (auto &binding : side)
      if (binding->name == name)
        return binding->buffer;
    return 0u;
  };
  // out[1] is the next output: PlanBuilder puts each at 64 bytes.
  launch.reads = {x, bound(program.inputs, "loss_scale")};
  launch.writes = {bound(program.outputs, "loss")};
  return b;
}

TEST_F(GpuSession, EarlyLaunchesWaitForWhatTheyRead) {
  double seconds[2] = {};
  for (bool programmatic : {false, true}) {
    auto session = start(chainPlan(programmatic));
    auto *program = session->find(fb::ProgramKind::Train, 16, 4);
    std::vector<float> scale{0.5f}, x(kCount);
    for (int run = 1; run <= 5; ++run) {
      session->writeInput(*program, "loss_scale",
                          std::as_bytes(std::span(scale)));
      auto pending = session->run(*program);
      float loss = 0;
      pending.read("loss", std::as_writable_bytes(std::span(&loss, 1)));
      EXPECT_EQ(loss, static_cast<float>(20 * run) + 0.5f);
      seconds[programmatic] = pending.seconds();
    }
    session->readTensor(fb::Role::State, "x",
                        std::as_writable_bytes(std::span(x)));
    EXPECT_EQ(x, std::vector<float>(kCount, 100.0f));
  }
  std::printf("20 kernels that spin 20000 cycles: %.1f us one after another, "
              "%.1f us launched early\n",
              1e6 * seconds[0], 1e6 * seconds[1]);
}

// Ten runs are put in before the first result is read; the host's buffers are
// used again in between, so each must have kept its own input and output.
TEST_F(GpuSession, RunsOverlapWithTheHostAndKeepTheirResults) {
  auto session = start(chainPlan(true));
  auto *program = session->find(fb::ProgramKind::Train, 16, 4);
  session->prepare(*program);
  std::vector<PendingRun> runs;
  auto begin = Clock::now();
  for (int i = 0; i < 10; ++i) {
    float scale = 0.125f * static_cast<float>(i);
    session->writeInput(*program, "loss_scale",
                        std::as_bytes(std::span(&scale, 1)));
    runs.push_back(session->run(*program));
  }
  double enqueued = secondsSince(begin);
  for (int i = 9; i >= 0; --i) {
    float loss = 0;
    runs[static_cast<std::size_t>(i)].read(
        "loss", std::as_writable_bytes(std::span(&loss, 1)));
    EXPECT_EQ(loss, static_cast<float>(20 * (i + 1)) +
                        0.125f * static_cast<float>(i));
  }
  std::printf("10 runs put in within %.0f us, done within %.0f us\n",
              1e6 * enqueued, 1e6 * secondsSince(begin));
  // Without holding them: slots are reused, and waited for.
  for (int i = 10; i < 40; ++i) {
    float scale = 0.125f * static_cast<float>(i), loss = 0;
    session->writeInput(*program, "loss_scale",
                        std::as_bytes(std::span(&scale, 1)));
    session->run(*program);
    if (i % 7 == 0) {
      session->readOutput(*program, "loss",
                          std::as_writable_bytes(std::span(&loss, 1)));
      EXPECT_EQ(loss, static_cast<float>(20 * (i + 1)) +
                          0.125f * static_cast<float>(i));
    }
  }
}

TEST_F(GpuSession, StepByStepIsTheSame) {
  std::vector<float> results;
  for (bool debugSync : {false, true}) {
    auto session = start(chainPlan(true, 100), debugSync);
    auto *program = session->find(fb::ProgramKind::Train, 16, 4);
    session->prepare(*program);
    float scale = 0.25f, loss = 0;
    for (int i = 0; i < 3; ++i) {
      session->writeInput(*program, "loss_scale",
                          std::as_bytes(std::span(&scale, 1)));
      session->run(*program).read("loss",
                                  std::as_writable_bytes(std::span(&loss, 1)));
    }
    results.push_back(loss);
  }
  EXPECT_EQ(results, (std::vector<float>{60.25f, 60.25f}));
}

TEST_F(GpuSession, ProfileTimesEveryStep) {
  auto session = start(chainPlan(true));
  auto *program = session->find(fb::ProgramKind::Train, 16, 4);
  auto times = session->profile(*program, 5);
  ASSERT_EQ(times.size(), 22u);
  // A kernel that spins 20000 cycles takes at least 8 us below 2.5 GHz.
  for (std::size_t i = 1; i <= 20; ++i) {
    EXPECT_GT(times[i], 8e-6) << i;
    EXPECT_LT(times[i], 1e-3) << i;
  }
  EXPECT_LT(times[21], times[1]);
  std::vector<float> x(kCount);
  session->readTensor(fb::Role::State, "x",
                      std::as_writable_bytes(std::span(x)));
  EXPECT_EQ(x[kCount - 1], 120.0f) << "one run to warm up, five timed";
}

/// W [1000, 640], B [1000, 48] beside it and A [48, 640] below, bf16.
PlanBuilder panelPlan(std::uint64_t out, std::uint64_t in, std::uint64_t rank) {
  PlanBuilder b("cuda", "sm_90");
  using enum fb::DType;
  auto w = b.tensor(fb::Role::Weight, "w", {out, in}, BF16);
  auto &allocation = *b.plan.allocations[b.plan.buffers[w]->allocation];
  auto begin = b.plan.buffers[w]->offset;
  auto s = b.tensor(fb::Role::Weight, "b", {out, rank}, BF16);
  b.plan.buffers[s]->offset = begin + in * 2;
  auto a = b.tensor(fb::Role::Weight, "a", {rank, in}, BF16);
  b.plan.buffers[a]->offset = begin + out * (in + rank) * 2;
  for (auto i : {w, s, a})
    b.plan.buffers[i]->pitch = in + rank;
  allocation.bytes = begin + (out + rank) * (in + rank) * 2;
  b.tensor(fb::Role::Weight, "norm", {in}, BF16);
  auto &program = b.program(fb::ProgramKind::Evaluate, 16, 4);
  b.step(program, fb::FillT{}).target = program.outputs.back()->buffer;
  return b;
}

template <typename T>
std::vector<T> read(Session &session, const char *name, std::size_t count) {
  std::vector<T> values(count);
  session.readTensor(fb::Role::Weight, name,
                     std::as_writable_bytes(std::span(values)));
  return values;
}

TEST_F(GpuSession, PitchedTensorsAreWrittenAndReadByRows) {
  constexpr std::uint64_t out = 1000, in = 640, rank = 48;
  auto session = start(panelPlan(out, in, rank));
  std::vector<std::uint16_t> w(out * in), s(out * rank), a(rank * in);
  std::iota(w.begin(), w.end(), std::uint16_t{0});
  std::iota(s.begin(), s.end(), std::uint16_t{3});
  std::iota(a.begin(), a.end(), std::uint16_t{7});
  session->writeTensor(fb::Role::Weight, "b", std::as_bytes(std::span(s)));
  auto bytes = std::as_bytes(std::span(w));
  std::size_t cut = 2 * (3 * in + 17), last = 2 * (900 * in + 5);
  session->writeTensorPart(fb::Role::Weight, "w", bytes.subspan(last), last);
  session->writeTensorPart(fb::Role::Weight, "w", bytes.first(cut), 0);
  session->writeTensorPart(fb::Role::Weight, "w",
                           bytes.subspan(cut, last - cut), cut);
  session->writeTensor(fb::Role::Weight, "a", std::as_bytes(std::span(a)));
  EXPECT_EQ(read<std::uint16_t>(*session, "w", w.size()), w);
  EXPECT_EQ(read<std::uint16_t>(*session, "b", s.size()), s);
  EXPECT_EQ(read<std::uint16_t>(*session, "a", a.size()), a);
  // The corner beside A belongs to nobody and stays zero.
  auto range = session->range(
      session->plan().findTensor(fb::Role::Weight, "a")->buffer());
  std::uint16_t corner = 1;
  session->device().copyFromDevice(
      &corner, static_cast<char *>(range.pointer) + 2 * in, 2);
  EXPECT_EQ(corner, 0);
}

// 0.3 GB of pitched bf16: drawn, and loaded from a file.
TEST_F(GpuSession, WeightsArriveThroughTheStagingRing) {
  constexpr std::uint64_t out = 40000, in = 4096, rank = 64;
  auto session = start(panelPlan(out, in, rank));
  auto begin = Clock::now();
  drawWeights(*session, 5);
  double seconds = secondsSince(begin);
  double bytes = 2.0 * (out * (in + rank) + rank * in);
  std::printf("drawn: %.2f GB in %.3f s, %.1f GB/s\n", bytes / 1e9, seconds,
              bytes / 1e9 / seconds);
  auto w = read<std::uint16_t>(*session, "w", out * in);
  std::vector<std::uint16_t> expected(1000);
  for (std::uint64_t at : {std::uint64_t{0}, std::uint64_t{33554430},
                           out * in / 2 + 1, out * in - 1000}) {
    drawMatrix<std::uint16_t>(5, "w", at, expected);
    EXPECT_EQ(0, std::memcmp(expected.data(), &w[at], 2000)) << at;
  }
  EXPECT_EQ(read<std::uint16_t>(*session, "norm", in),
            std::vector<std::uint16_t>(in, floatToBf16(1)));

  auto directory = std::filesystem::temp_directory_path() /
                   ("llamac-weights-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  std::vector<float> a32(rank * in), n32(in, 2.0f);
  std::iota(a32.begin(), a32.end(), 0.0f);
  auto b = read<std::uint16_t>(*session, "b", out * rank);
  std::vector<TensorView> views{
      {"w", DType::BF16, {out, in}, std::as_bytes(std::span(w))},
      {"b", DType::BF16, {out, rank}, std::as_bytes(std::span(b))},
      {"a", DType::F32, {rank, in}, std::as_bytes(std::span(a32))},
      {"norm", DType::F32, {in}, std::as_bytes(std::span(n32))}};
  writeSafetensors(directory / "model.safetensors", views);
  session = nullptr;
  session = start(panelPlan(out, in, rank));
  auto checkpoint = HfCheckpoint::open(directory);
  begin = Clock::now();
  loadWeights(*session, checkpoint);
  seconds = secondsSince(begin);
  std::printf("loaded: %.2f GB in %.3f s, %.1f GB/s\n", bytes / 1e9, seconds,
              bytes / 1e9 / seconds);
  EXPECT_TRUE(read<std::uint16_t>(*session, "w", w.size()) == w);
  EXPECT_TRUE(read<std::uint16_t>(*session, "b", b.size()) == b);
  auto a = read<std::uint16_t>(*session, "a", a32.size());
  for (std::size_t i : {0u, 1u, 4097u, 262143u})
    EXPECT_EQ(a[i], floatToBf16(a32[i]));
  std::filesystem::remove_all(directory);
}

template <typename Action> std::string messageOf(Action &&action) {
  try {
    action();
  } catch (const Error &error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST_F(GpuSession, RefusalsNameStepKernelAndLocation) {
  auto builder = chainPlan(false);
  auto &launch = *static_cast<fb::LaunchT *>(
      builder.plan.programs[0]->steps[3]->operation.value);
  launch.scalars.pop_back();
  auto session = start(builder);
  auto *program = session->find(fb::ProgramKind::Train, 16, 4);
  auto message = messageOf([&] { session->run(*program); });
  EXPECT_NE(message.find("program 'train_16', step 3 (launch of 'next', "
                         "loc(\"test.mlir\":1:1)): launch has 3 arguments"),
            std::string::npos)
      << message;
}

// A fault ends the context: each in a process of its own.
void crash(bool debugSync) {
  PlanBuilder b("cuda", "sm_90");
  auto code = b.code(fb::CodeFormat::Ptx, "sm_90", kTestPtx);
  auto kernel = b.kernel("crash", code);
  auto &program = b.program(fb::ProgramKind::Evaluate, 16, 4);
  auto logits = program.outputs.back()->buffer;
  b.step(program, fb::FillT{}).target = logits;
  auto &launch = b.step(program, fb::LaunchT{});
  launch.kernel = kernel;
  launch.writes = {logits};
  Session session(b.load(), createDevice("cuda"),
                  SessionOptions{.debugSync = debugSync});
  auto *its = session.find(fb::ProgramKind::Evaluate, 16, 4);
  std::vector<std::byte> bytes(4 * 2 * 4);
  std::fprintf(stderr, "%s\n", messageOf([&] {
                                 session.run(*its).read("logits", bytes);
                               }).c_str());
  std::_Exit(9);
}

// A suite of its own: sanitizers count what it does on purpose.
using GpuFault = GpuSession;

TEST_F(GpuFault, NamesTheProgramOrTheStep) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(crash(false), testing::ExitedWithCode(9),
              "program 'evaluate_16' failed on the device: .*CUDA_ERROR.*"
              "--debug-sync finds the step");
  EXPECT_EXIT(crash(true), testing::ExitedWithCode(9),
              "program 'evaluate_16', step 1 .launch of 'crash', loc.*: .*"
              "CUDA_ERROR");
}

} // namespace
} // namespace llamarun
