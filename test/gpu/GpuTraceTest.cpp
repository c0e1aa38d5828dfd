// Device times of a graph's kernels, by CUPTI.
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"
#include "test/gpu/GpuTestKernels.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

using namespace llamarun::test;

constexpr std::int64_t kCount = 1 << 13;
constexpr std::uint32_t kLaunches = 6;

/// A fill, then kernels that spin, on two streams in turns.
PlanBuilder spinPlan() {
  PlanBuilder b("cuda", "sm_90");
  auto code = b.code(fb::CodeFormat::Ptx, "sm_90", kTestPtx);
  auto next = b.kernel("next", code);
  std::uint64_t n = kCount;
  auto x = b.tensor(fb::Role::State, "x", {n});
  auto y = b.tensor(fb::Role::State, "y", {n});
  auto &program = b.program(fb::ProgramKind::Train, 16, 4);
  program.streams = 2;
  b.step(program, fb::FillT{}).target = y;
  for (std::uint32_t i = 0; i < kLaunches; ++i) {
    auto &launch =
        b.step(program, fb::LaunchT{}, static_cast<std::uint16_t>(i % 2), {i});
    launch.kernel = next;
    launch.reads = {i % 2 ? y : x};
    launch.writes = {i % 2 ? x : y};
    launch.scalars = {kCount, 20000};
    launch.grid_x = kCount / 256;
    launch.block_x = 256;
  }
  // Waits name other streams only.
  for (std::uint32_t i = 0; i < program.steps.size(); ++i) {
    auto &step = *program.steps[i];
    std::erase_if(step.waits, [&](std::uint32_t other) {
      return program.steps[other]->stream == step.stream;
    });
  }
  return b;
}

TEST(GpuTrace, TimesOfEveryStep) {
  auto plan = spinPlan().load(); // a valid one, with or without a GPU
  std::unique_ptr<Device> device;
  try {
    device = createDevice("cuda");
  } catch (const Error &error) {
    GTEST_SKIP() << "no GPU here: " << error.what();
  }
  std::string why;
  auto trace = device->makeTrace(why);
  if (!trace)
    GTEST_SKIP() << why;
  Session session(plan, std::move(device));
  auto *program = session.find(fb::ProgramKind::Train, 16, 4);
  session.prepare(*program);
  session.run(*program).wait(); // not seen
  auto before = traceClock();
  trace->start();
  double measured = 0;
  for (int i = 0; i < 3; ++i)
    measured += session.run(*program).seconds();
  trace->stop();
  auto after = traceClock();
  session.run(*program).wait();
  auto records = trace->take();
  trace.reset();
  EXPECT_EQ(records.lost, 0u);
  ASSERT_EQ(records.steps.size(), 3 * (kLaunches + 1));
  double sum = 0;
  for (std::size_t i = 0; i < records.steps.size(); ++i) {
    auto &step = records.steps[i];
    EXPECT_EQ(step.run, i / (kLaunches + 1));
    EXPECT_EQ(stepOf(step.tag), i % (kLaunches + 1)); // each waits for the last
    EXPECT_LE(before, step.begin);
    EXPECT_LE(step.end, after);
    if (i % (kLaunches + 1)) {
      EXPECT_EQ(records.names[step.name], "next");
      EXPECT_LE(records.steps[i - 1].end, step.begin);
    }
    sum += 1e-9 * static_cast<double>(step.end - step.begin);
  }
  EXPECT_LE(sum, 1.05 * measured);
  // So small kernels are mostly waited for: CUPTI puts 1 to 2 us between two.
  EXPECT_GE(sum, 2e-7 * static_cast<double>(records.steps.size()));
}

} // namespace
} // namespace llamarun
