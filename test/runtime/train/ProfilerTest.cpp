#include "runtime/train/Profiler.h"

#include "runtime/support/Error.h"
#include "runtime/trace/JobTrace.h"
#include "test/runtime/train/ThreadRanks.h"
#include "test/runtime/train/TinyPlan.h"

#include <atomic>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

Dataset sampleData(const Plan &plan, std::size_t count) {
  return makeSyntheticData(plan, {.fixed = 5}, count, 1);
}

JobProfile profileTiny(Session &session, const ProfileOptions &options) {
  ProgramRunner runner(session, 0);
  return profileTraining(session, runner, sampleData(session.plan(), 100),
                         options);
}

TEST(Profiler, EveryStepOfEveryRun) {
  auto session = tiny::openSession({.accumulation = 2});
  auto profile = profileTiny(*session, {.steps = 3, .warmup = 1});
  EXPECT_EQ(profile.note, "");
  EXPECT_FALSE(profile.overhead);
  EXPECT_EQ(profile.bench.steps, 3u);
  ASSERT_EQ(profile.traces.size(), 1u);
  auto &trace = profile.traces[0];
  ASSERT_EQ(trace.runs.size(), 6u); // two micro-batches each
  EXPECT_EQ(trace.lost, 0u);
  std::size_t steps = 0;
  for (std::size_t i = 0; i < trace.runs.size(); ++i) {
    auto &run = trace.runs[i];
    EXPECT_EQ(run.step, i / 2);
    auto &program = session->plan().program(run.program);
    EXPECT_EQ(program.kind(),
              i % 2 ? fb::ProgramKind::Train : fb::ProgramKind::Accumulate);
    steps += program.steps()->size();
    EXPECT_GT(run.measured, 0);
    // The session's host times agree with the device's marks.
    EXPECT_NEAR(run.measured, 1e-9 * static_cast<double>(run.end - run.begin),
                1e-3);
  }
  EXPECT_EQ(trace.steps.size(), steps);
  for (auto &work : trace.steps) {
    auto &run = trace.runs.at(work.run);
    EXPECT_LE(run.begin, work.begin);
    EXPECT_LE(work.end, run.end);
    EXPECT_EQ(programOf(work.tag), run.program);
  }
  EXPECT_FALSE(trace.spans.empty());
  EXPECT_EQ(session->hostTrace(), nullptr);
}

TEST(Profiler, ComparesStepsInTurns) {
  auto session = tiny::openSession();
  auto profile =
      profileTiny(*session, {.steps = 4, .warmup = 1, .compare = true});
  ASSERT_TRUE(profile.overhead);
  ASSERT_EQ(profile.traces[0].runs.size(), 4u);
  std::vector<std::uint32_t> traced;
  for (auto &run : profile.traces[0].runs)
    traced.push_back(run.step);
  EXPECT_EQ(traced, (std::vector<std::uint32_t>{0, 3, 4, 7}));
  EXPECT_EQ(profile.bench.steps, 8u);
}

// A device that keeps no times: the steps of one program one after another, and
// a note that says so.
TEST(Profiler, WithoutATraceOfTheDevice) {
  auto session = tiny::openLazySession();
  auto profile = profileTiny(*session, {.steps = 3, .warmup = 1});
  EXPECT_NE(profile.note.find("keep no times"), std::string::npos)
      << profile.note;
  ASSERT_EQ(profile.traces.size(), 1u);
  auto &trace = profile.traces[0];
  ASSERT_EQ(trace.runs.size(), 1u);
  auto &program = session->plan().program(trace.runs[0].program);
  EXPECT_EQ(&program, profile.bench.commonest);
  ASSERT_EQ(trace.steps.size(), program.steps()->size());
  for (std::size_t i = 0; i < trace.steps.size(); ++i) {
    EXPECT_EQ(stepOf(trace.steps[i].tag), i);
    EXPECT_EQ(trace.steps[i].begin,
              i ? trace.steps[i - 1].end : trace.runs[0].begin);
  }
  std::string text;
  auto costs = planCosts(session->plan(), profile.traces);
  writeJobTrace([&](std::string_view part) { text += part; }, session->plan(),
                profile.traces, costs,
                linkCollectives(session->plan(), profile.traces, costs));
  EXPECT_TRUE(nlohmann::json::accept(text));
}

TEST(Profiler, RankZeroGetsAllTraces) {
  std::atomic<unsigned> checked = 0;
  tiny::runGrid({.dp = 2}, [&](Session &session, const Ranks &ranks) {
    ProgramRunner runner(session, 0, ranks);
    auto profile =
        profileTraining(session, runner, sampleData(session.plan(), 100),
                        {.steps = 2, .warmup = 1});
    EXPECT_EQ(profile.traces.size(), ranks.first() ? 2u : 0u);
    for (unsigned rank = 0; rank < profile.traces.size(); ++rank) {
      auto &trace = profile.traces[rank];
      EXPECT_EQ(trace.rank, rank);
      EXPECT_EQ(trace.runs.size(), 2u);
      EXPECT_EQ(trace.clock.offset, 0); // one host, one clock
      ++checked;
    }
  });
  EXPECT_EQ(checked, 2u);
}

// As between hosts; the truth is 0 here.
TEST(Profiler, ClocksOfHostsAreCompared) {
  tiny::runGrid({.dp = 2}, [&](Session &, const Ranks &ranks) {
    auto clock = exchangeClocks(ranks, "host " + std::to_string(ranks.rank()));
    EXPECT_GE(clock.error, 0);
    EXPECT_LE(std::abs(clock.offset), clock.error);
    EXPECT_EQ(clock.error == 0, ranks.first());
    // Nobody knows whose clock is whose.
    clock = exchangeClocks(ranks, "");
    EXPECT_EQ(clock.error == 0, ranks.first());
  });
}

TEST(Profiler, RefusesTooFewExamples) {
  auto session = tiny::openSession();
  EXPECT_THROW(profileTiny(*session, {.steps = 1000}), Error);
  EXPECT_EQ(session->hostTrace(), nullptr);
}

} // namespace
} // namespace llamarun
