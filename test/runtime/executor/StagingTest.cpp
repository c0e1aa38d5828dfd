// Inputs and outputs of runs that overlap: on a device that does nothing until
// it is waited for, every run must have its own values.
#include "runtime/executor/Staging.h"
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"
#include "test/runtime/executor/LazyDevice.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

/// loss = loss_scale; the state "ids" = input_ids. Two programs that share all
/// their inputs' memory.
struct Echo {
  PlanBuilder builder;
  std::uint32_t ids;
  Echo() {
    ids = builder.tensor(fb::Role::State, "ids", {16}, fb::DType::I32);
    auto &first = builder.program(fb::ProgramKind::Accumulate, 16, 4);
    echo(first);
    auto &second = builder.program(fb::ProgramKind::Train, 16, 4);
    for (auto &binding : second.inputs)
      for (auto &other : first.inputs)
        if (binding->name == other->name)
          binding->buffer = other->buffer;
    echo(second);
  }
  static std::uint32_t
  bound(const std::vector<std::unique_ptr<fb::BindingT>> &side,
        const std::string &name) {
    for (auto &binding : side)
      if (binding->name == name)
        return binding->buffer;
    throw std::logic_error(name);
  }
  void echo(fb::ProgramT &program) {
    auto &loss = builder.step(program, fb::CopyT{});
    loss.source = bound(program.inputs, "loss_scale");
    loss.target = bound(program.outputs, "loss");
    auto &copy = builder.step(program, fb::CopyT{});
    copy.source = bound(program.inputs, "input_ids");
    copy.target = ids;
  }
};

struct Lazy {
  LazyDevice *device;
  std::unique_ptr<Session> session;
  const fb::Program *accumulate, *train;
  explicit Lazy(const SessionOptions &options = {}) {
    auto made =
        std::make_unique<LazyDevice>(createDevice("cpu", {.threads = 1}));
    device = made.get();
    session = std::make_unique<Session>(Echo().builder.load(), std::move(made),
                                        options);
    accumulate = session->find(fb::ProgramKind::Accumulate, 16, 4);
    train = session->find(fb::ProgramKind::Train, 16, 4);
  }
  PendingRun run(const fb::Program *program, float scale) {
    session->writeInput(*program, "loss_scale",
                        std::as_bytes(std::span(&scale, 1)));
    return session->run(*program);
  }
  std::vector<std::int32_t> ids() {
    std::vector<std::int32_t> values(16);
    session->readTensor(fb::Role::State, "ids",
                        std::as_writable_bytes(std::span(values)));
    return values;
  }
};

float lossOf(const PendingRun &run) {
  float loss = -1;
  run.read("loss", std::as_writable_bytes(std::span(&loss, 1)));
  return loss;
}

TEST(Staging, NeighboursShareACopy) {
  PlanBuilder b;
  auto &program = b.program(fb::ProgramKind::Train, 16, 4);
  b.step(program, fb::FillT{}).target = Echo::bound(program.outputs, "loss");
  // A second allocation, and a hole in the first.
  auto far = Echo::bound(program.inputs, "hyper");
  b.plan.buffers[far]->offset += 8192;
  b.plan.allocations[b.plan.buffers[far]->allocation]->bytes += 8192;
  auto plan = b.load();
  std::vector<char> memory(1 << 16);
  StagingLayout layout(*plan, plan->program(0).inputs(), [&](std::size_t i) {
    return DeviceRange{memory.data() + plan->buffer(i).offset(),
                       plan->rows(i).span()};
  });
  ASSERT_EQ(layout.values.size(), 8u);
  ASSERT_EQ(layout.groups.size(), 2u);
  EXPECT_EQ(layout.groups[0].last, 7u);
  EXPECT_EQ(layout.groups[1].first, 7u);
  for (auto &group : layout.groups)
    for (auto i = group.first; i < group.last; ++i) {
      auto &value = layout.values[i];
      auto distance = static_cast<char *>(value.device.pointer) -
                      static_cast<char *>(group.device.pointer);
      EXPECT_EQ(value.at - group.at, static_cast<std::uint64_t>(distance));
      EXPECT_LE(value.at + value.device.bytes, group.at + group.device.bytes);
    }
  EXPECT_EQ(layout.values[layout.find("hyper")].device.bytes, 64u);
  EXPECT_EQ(layout.find("nope"), layout.values.size());
  EXPECT_LE(layout.bytes, 1024u);
}

TEST(Staging, RunsKeepTheirOwnValues) {
  Lazy lazy;
  std::vector<PendingRun> runs;
  for (int i = 0; i < 8; ++i)
    runs.push_back(
        lazy.run(i % 3 ? lazy.train : lazy.accumulate, static_cast<float>(i)));
  EXPECT_GT(lazy.device->waiting(), 20u) << "nothing was waited for";
  for (int i : {7, 0, 3, 5, 1, 2, 6, 4})
    EXPECT_EQ(lossOf(runs[static_cast<std::size_t>(i)]), static_cast<float>(i));
  EXPECT_GE(runs[3].seconds(), 0);
}

TEST(Staging, SlotsAreUsedAgainOnceTheirRunIsDone) {
  Lazy lazy;
  for (int i = 0; i < 100; ++i) {
    lazy.run(lazy.train, static_cast<float>(i));
    float loss = -1;
    if (i % 9 == 0) {
      lazy.session->readOutput(*lazy.train, "loss",
                               std::as_writable_bytes(std::span(&loss, 1)));
      EXPECT_EQ(loss, static_cast<float>(i));
    }
    EXPECT_LT(lazy.device->waiting(), 40u) << "the host ran away";
  }
  EXPECT_LE(lazy.device->stagingBlocks, 6u);
}

TEST(Staging, WhatIsNotWrittenStays) {
  Lazy lazy;
  std::vector<std::int32_t> ids(16, 7);
  lazy.session->writeInput(*lazy.train, "input_ids",
                           std::as_bytes(std::span(ids)));
  EXPECT_EQ(lossOf(lazy.run(lazy.train, 1)), 1);
  EXPECT_EQ(lazy.ids(), ids);
  EXPECT_EQ(lossOf(lazy.run(lazy.train, 2)), 2);
  EXPECT_EQ(lazy.ids(), ids) << "overwritten by an input nobody gave";
}

// The inputs of two programs are the same memory: what was written for one that
// is then not run must not be lost, nor come later.
TEST(Staging, InputsOfAnotherProgramArriveInOrder) {
  Lazy lazy;
  std::vector<std::int32_t> ids(16, 5), more(16, 6);
  lazy.session->writeInput(*lazy.accumulate, "input_ids",
                           std::as_bytes(std::span(ids)));
  auto first = lazy.run(lazy.train, 1);
  EXPECT_EQ(lossOf(first), 1);
  EXPECT_EQ(lazy.ids(), ids);
  lazy.session->writeInput(*lazy.accumulate, "input_ids",
                           std::as_bytes(std::span(ids)));
  lazy.session->writeInput(*lazy.train, "input_ids",
                           std::as_bytes(std::span(more)));
  lazy.session->run(*lazy.train);
  EXPECT_EQ(lazy.ids(), more);
}

TEST(Staging, StepByStepIsTheSame) {
  Lazy lazy({.debugSync = true});
  lazy.session->prepare(*lazy.train);
  auto run = lazy.run(lazy.train, 3);
  EXPECT_EQ(lossOf(run), 3);
}

TEST(Staging, ProfilesEveryStep) {
  Lazy lazy;
  auto times = lazy.session->profile(*lazy.train, 3);
  ASSERT_EQ(times.size(), 2u);
  for (double seconds : times) {
    EXPECT_GE(seconds, 0);
    EXPECT_LT(seconds, 1);
  }
  EXPECT_EQ(lossOf(lazy.run(lazy.train, 4)), 4) << "after a profile";
}

} // namespace
