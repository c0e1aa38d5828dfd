#include "runtime/device/cpu/CpuTrace.h"

#include "runtime/device/Device.h"

#include <gtest/gtest.h>
#include <vector>

namespace llamarun {
namespace {

TEST(CpuTrace, ChunksBecomePiecesAndSteps) {
  CpuTrace trace(2);
  trace.beginRun();
  trace.beginWave();
  auto t = traceClock();
  trace.chunk(0, 7, t, t + 10);
  trace.chunk(0, 7, t + 10, t + 20); // goes on
  trace.chunk(0, 8, t + 20, t + 30);
  trace.chunk(1, 7, t + 5, t + 40);
  while (traceClock() < t + 1000) // the wave ends after its chunks
    ;
  trace.endWave();
  trace.beginWave();
  auto u = traceClock();
  trace.chunk(1, 8, u, u + 10); // the second work of the same step
  while (traceClock() < u + 1000)
    ;
  trace.endWave();
  auto records = trace.take();
  ASSERT_EQ(records.pieces.size(), 4u);
  EXPECT_EQ(records.pieces[0].tag, 7u);
  EXPECT_EQ(records.pieces[0].begin, t);
  EXPECT_EQ(records.pieces[0].end, t + 20);
  EXPECT_EQ(records.pieces[1].lane, 1u);
  EXPECT_EQ(records.pieces[2].tag, 8u);
  ASSERT_EQ(records.steps.size(), 2u);
  // The first to begin has the way to the threads, the last to end the wait.
  EXPECT_EQ(records.steps[0].tag, 7u);
  EXPECT_LE(records.steps[0].begin, t);
  EXPECT_GE(records.steps[0].end, t + 1000);
  EXPECT_EQ(records.steps[1].tag, 8u);
  EXPECT_EQ(records.steps[1].begin, t + 20);
  EXPECT_GE(records.steps[1].end, u + 1000);
  EXPECT_TRUE(trace.take().steps.empty());
}

// Of a device: only graphs that run while it is on, every work of theirs once.
TEST(CpuTrace, SeesGraphsWhileItIsOn) {
  auto device = createDevice("cpu", {.threads = 2});
  std::string why;
  auto trace = device->makeTrace(why);
  ASSERT_TRUE(trace) << why;
  std::uint64_t bytes = 1 << 20;
  std::vector<DeviceRange> ranges;
  for (int i = 0; i < 3; ++i)
    ranges.push_back(
        {device->allocate(bytes, 64, fb::Category::Activations), bytes});
  device->beginCapture(1);
  device->tagWork(workTag(1, 0));
  device->fill(0, ranges[0], fb::DType::F32, 1.5);
  device->tagWork(workTag(1, 1)); // may run beside it
  device->fill(0, ranges[1], fb::DType::F32, 2.5);
  device->tagWork(workTag(1, 2));
  device->copy(0, ranges[2], ranges[0]);
  device->hostWork(0, {ranges[2]}, {}, [] {});
  device->tagWork(kNoTag);
  auto graph = device->endCapture();
  device->run(*graph);
  EXPECT_TRUE(trace->take().steps.empty());
  auto before = traceClock();
  trace->start();
  device->run(*graph);
  device->run(*graph);
  trace->stop();
  auto after = traceClock();
  device->run(*graph);
  auto records = trace->take();
  ASSERT_EQ(records.steps.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    auto &step = records.steps[i];
    EXPECT_EQ(step.run, i / 3);
    EXPECT_EQ(programOf(step.tag), 1u);
    EXPECT_LE(before, step.begin);
    EXPECT_LT(step.begin, step.end);
    EXPECT_LE(step.end, after);
  }
  EXPECT_EQ(records.steps[2].tag, workTag(1, 2));
  EXPECT_LE(records.steps[0].end, records.steps[2].begin); // it waits for 0
  for (auto &piece : records.pieces)
    EXPECT_LT(piece.lane, 2u);
  trace.reset();
  device->run(*graph);
  float value = 0;
  device->copyFromDevice(&value, ranges[2].pointer, sizeof value);
  EXPECT_EQ(value, 1.5f);
  graph.reset();
  for (auto &range : ranges)
    device->free(range.pointer);
}

} // namespace
} // namespace llamarun
