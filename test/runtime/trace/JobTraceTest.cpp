#include "runtime/trace/JobTrace.h"

#include "test/runtime/trace/TraceSamples.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace llamarun {
namespace {

using nlohmann::json;

struct Sample {
  std::shared_ptr<const Plan> plan = test::twoRankPlan().load();
  std::vector<RankTrace> traces{test::sampleTrace(0), test::sampleTrace(1)};

  PlanCosts costs() const { return planCosts(*plan, traces); }
  std::vector<CollectiveLink> links() const {
    return linkCollectives(*plan, traces, costs());
  }
  json written() const {
    std::string text;
    writeJobTrace([&](std::string_view part) { text += part; }, *plan, traces,
                  costs(), links());
    return json::parse(text);
  }
};

std::vector<json> of(const json &trace, const std::string &phase) {
  std::vector<json> found;
  for (auto &event : trace["traceEvents"])
    if (event["ph"] == phase)
      found.push_back(event);
  return found;
}

TEST(CollectiveLinks, TheNthOfEachMember) {
  Sample sample;
  auto links = sample.links();
  ASSERT_EQ(links.size(), 2u);
  for (std::size_t run = 0; run < 2; ++run) {
    ASSERT_EQ(links[run].members.size(), 2u);
    EXPECT_EQ(links[run].members[0].trace, 0u); // it began first
    for (auto member : links[run].members) {
      auto &work = sample.traces[member.trace].steps[member.work];
      EXPECT_EQ(stepOf(work.tag), 2u);
      EXPECT_EQ(work.run, run);
    }
    EXPECT_EQ(links[run].lastBegin, sample.traces[1].runs[run].begin + 720'000);
  }
}

// A sum that the next kernel takes has no work of its own: it is that kernel's.
TEST(CollectiveLinks, ASumInAKernelIsTheKernels) {
  Sample sample;
  auto costs = sample.costs();
  costs[0][2].takenBy = 3;
  for (auto &trace : sample.traces)
    std::erase_if(trace.steps,
                  [](auto &work) { return stepOf(work.tag) == 2; });
  auto links = linkCollectives(*sample.plan, sample.traces, costs);
  ASSERT_EQ(links.size(), 2u);
  auto member = links[0].members[0];
  EXPECT_EQ(stepOf(sample.traces[member.trace].steps[member.work].tag), 3u);
}

TEST(JobTrace, LanesOfEveryRank) {
  auto trace = Sample().written();
  std::map<std::pair<int, int>, std::string> lanes;
  std::map<int, std::string> processes;
  for (auto &event : of(trace, "M")) {
    if (event["name"] == "thread_name")
      lanes[{event["pid"], event["tid"]}] = event["args"]["name"];
    if (event["name"] == "process_name")
      processes[event["pid"]] = event["args"]["name"];
  }
  EXPECT_EQ(processes[0], "rank 0 (host, cpu, 2 threads)");
  EXPECT_EQ(processes.size(), 2u);
  for (int rank : {0, 1}) {
    std::set<std::string> names;
    for (auto &[key, name] : lanes)
      if (key.first == rank)
        names.insert(name);
    EXPECT_EQ(names, (std::set<std::string>{"host", "data", "stream 0",
                                            "stream 1", "CPU thread 1"}));
  }
  // Every event lies on a lane that has a name.
  for (auto phase : {"X", "i", "s", "t", "f"})
    for (auto &event : of(trace, phase))
      EXPECT_TRUE(lanes.contains({event["pid"], event["tid"]})) << event;
}

TEST(JobTrace, SlicesNestOrDoNotTouch) {
  Sample sample;
  // A second step of stream 0 beside the first: it gets a lane of its own.
  auto beside = sample.traces[0].steps[1];
  beside.tag = workTag(0, 0);
  beside.begin += 1000;
  beside.end += 1000;
  sample.traces[0].steps[0] = beside;
  std::ranges::stable_sort(sample.traces[0].steps, {}, &TracedWork::begin);
  std::map<std::pair<int, int>, std::vector<json>> lanes;
  for (auto &event : of(sample.written(), "X"))
    lanes[{event["pid"], event["tid"]}].push_back(event);
  EXPECT_GT(lanes.size(), 10u);
  for (auto &[lane, slices] : lanes) {
    std::vector<double> open; // ends of what encloses
    std::ranges::stable_sort(
        slices, {}, [](auto &s) { return s["ts"].template get<double>(); });
    for (auto &slice : slices) {
      double begin = slice["ts"], end = begin + slice["dur"].get<double>();
      while (!open.empty() && open.back() <= begin + 1e-6)
        open.pop_back();
      if (!open.empty()) {
        EXPECT_LE(end, open.back() + 1e-6) << slice;
      }
      open.push_back(end);
    }
  }
}

TEST(JobTrace, StepsSayWhatTheyAre) {
  auto trace = Sample().written();
  auto slices = of(trace, "X");
  auto find = [&](int rank, const std::string &name) {
    return *std::ranges::find_if(slices, [&](auto &slice) {
      return slice["pid"] == rank && slice["name"] == name;
    });
  };
  auto gemm = find(0, "gemm f32->f32 nt 16x2x8");
  EXPECT_EQ(gemm["dur"], 400);
  EXPECT_EQ(gemm["args"]["op"], "layers.0 \"q\"");
  EXPECT_EQ(gemm["args"]["location"], "a.mlir:3:7");
  EXPECT_EQ(gemm["args"]["shape"], "16x2x8");
  EXPECT_EQ(gemm["args"]["bytes"], 704);
  EXPECT_EQ(gemm["args"]["flops"], 512);
  EXPECT_NEAR(gemm["args"]["GB_per_s"], 704 / 400e-6 * 1e-9, 1e-12);
  EXPECT_NEAR(gemm["args"]["TFLOP_per_s"], 512 / 400e-6 * 1e-12, 1e-15);
  auto sum = find(0, "all_reduce sum over tp, f32 128 B");
  EXPECT_EQ(sum["cat"], "collective");
  EXPECT_EQ(sum["args"]["axis"], "tp");
  EXPECT_EQ(sum["args"]["waited_us"], 200);
  EXPECT_EQ(find(1, "all_reduce sum over tp, f32 128 B")["args"]["waited_us"],
            0);
  auto step = find(0, "step 0"), run = find(0, "train_16");
  EXPECT_EQ(step["dur"], 1000);
  EXPECT_EQ(run["dur"], 1000);
  EXPECT_EQ(step["args"]["measured_us"], 1000);
  // The first moment is 0: a batch is packed on rank 0.
  EXPECT_EQ(find(0, "pack batch")["ts"], 0);
  EXPECT_EQ(step["ts"], 50);
}

TEST(JobTrace, ArrowsBindToSlicesOfOneCollective) {
  auto trace = Sample().written();
  std::map<int, std::vector<json>> flows;
  for (auto phase : {"s", "t", "f"})
    for (auto &event : of(trace, phase))
      flows[event["id"]].push_back(event);
  ASSERT_EQ(flows.size(), 2u);
  for (auto &[id, events] : flows) {
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0]["ph"], "s");
    EXPECT_EQ(events[1]["ph"], "f");
    EXPECT_NE(events[0]["pid"], events[1]["pid"]);
    EXPECT_LE(events[0]["ts"], events[1]["ts"]);
    for (auto &event : events) {
      auto within = [&](const json &slice) {
        return slice["cat"] == "collective" && slice["pid"] == event["pid"] &&
               slice["tid"] == event["tid"] && slice["ts"] <= event["ts"] &&
               event["ts"].get<double>() <
                   slice["ts"].get<double>() + slice["dur"].get<double>();
      };
      auto slices = of(trace, "X");
      EXPECT_EQ(std::ranges::count_if(slices, within), 1);
    }
  }
}

// Steps without work of their own are there, too.
TEST(JobTrace, EveryStepOfEveryRun) {
  Sample sample;
  for (auto &trace : sample.traces)
    std::erase_if(trace.steps,
                  [](auto &work) { return stepOf(work.tag) == 2; });
  auto trace = sample.written();
  auto instants = of(trace, "i");
  ASSERT_EQ(instants.size(), 4u); // of two ranks and two runs
  EXPECT_EQ(instants[0]["args"]["step"], 2);
  EXPECT_EQ(instants[0]["name"], "all_reduce sum over tp, f32 128 B");
}

TEST(JobTrace, WhatIsOfNoStep) {
  Sample sample;
  auto &trace = sample.traces[0];
  trace.synchronous = false; // a GPU: pieces of steps are in the steps
  trace.names.push_back("copy to device");
  trace.pieces.push_back({kNoTag, 0, 7, 3, 5'000'000, 5'001'000});
  auto slices = of(sample.written(), "X");
  auto found = std::ranges::find_if(
      slices, [](auto &s) { return s["name"] == "copy to device"; });
  ASSERT_NE(found, slices.end());
  EXPECT_EQ((*found)["dur"], 1);
  EXPECT_EQ(std::ranges::count_if(
                slices,
                [](auto &s) { return s["cat"] == "thread" && s["pid"] == 0; }),
            0);
}

} // namespace
} // namespace llamarun
