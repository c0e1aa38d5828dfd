#include "runtime/plan/Ledger.h"

#include "runtime/plan/Inspect.h"
#include "test/runtime/comm/CommPlan.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace llamarun;
using namespace llamarun::test;

namespace {

using enum fb::CollectiveKind;

/// Two buckets over a grid of 2 x 4: activations [tokens, 64] f32 summed over
/// tp three times from two places, gradients of 1 MiB over dp, one gather.
PlanBuilder ledgerPlan(const std::string &kind = "cpu") {
  auto b = gridPlan(2, 4, kind);
  b.plan.locations.push_back("loc(\"test.mlir\":2:2)");
  auto act = fb::Category::Activations;
  auto g = b.buffer(act, fb::DType::F32, {1 << 18});
  auto part = b.buffer(act, fb::DType::I64, {128});
  auto all = b.buffer(act, fb::DType::I64, {1024});
  for (std::uint32_t tokens : {16u, 64u}) {
    auto x = b.buffer(act, fb::DType::F32, {tokens, 64});
    auto &program = b.program(fb::ProgramKind::Train, tokens, 4);
    program.streams = 3;
    for (int i = 0; i < 3; ++i)
      collective(program, AllReduceSum, {1}, x, x);
    program.steps[1]->location = 1;
    collective(program, AllReduceSum, {0}, g, g, 2);
    collective(program, AllGather, {0, 1}, part, all);
  }
  return b;
}

TEST(Ledger, EntriesInOrder) {
  auto plan = ledgerPlan().load();
  auto ledger = ledgerOf(*plan, plan->program(1));
  ASSERT_EQ(ledger.size(), 5u);
  EXPECT_EQ(ledger[0].bytes, 64u * 64 * 4);
  EXPECT_EQ(ledger[0].devices, 4u);
  EXPECT_EQ(ledger[1].location, "loc(\"test.mlir\":2:2)");
  EXPECT_EQ(ledger[3].axes, "dp");
  EXPECT_EQ(ledger[3].stream, 2u);
  EXPECT_EQ(ledger[3].step, 3u);
  EXPECT_EQ(ledger[4].axes, "dp,tp");
  EXPECT_EQ(ledger[4].bytes, 1024u * 8); // the larger side
  EXPECT_EQ(ledger[4].devices, 8u);
}

// latency + traffic / bandwidth, computed by hand.
TEST(Ledger, PredictedTime) {
  for (auto *kind : {"cpu", "cuda"}) {
    auto plan = ledgerPlan(kind).load();
    auto &link = linkOf(*plan);
    EXPECT_STREQ(link.name, *kind == 'c' && kind[1] == 'p' ? "tcp" : "nvlink");
    auto ledger = ledgerOf(*plan, plan->program(0));
    auto after = [&](double traffic) {
      return link.latency + traffic / link.bandwidth;
    };
    EXPECT_DOUBLE_EQ(ledger[0].seconds, after(4096 * 1.5)); // 2 * 3/4
    EXPECT_DOUBLE_EQ(ledger[3].seconds, after(1048576));    // 2 * 1/2
    EXPECT_DOUBLE_EQ(ledger[4].seconds, after(8192 * 7.0 / 8));
  }
  auto alone = ledgerPlan();
  alone.plan.grid[0]->size = 1;
  for (auto &program : alone.plan.programs)
    program->steps.pop_back(); // the gather among eight
  auto plan = alone.load();
  EXPECT_EQ(ledgerOf(*plan, plan->program(0))[3].seconds, 0);
}

TEST(Ledger, LinesAndTotals) {
  auto plan = ledgerPlan().load();
  auto ledger = ledgerOf(*plan, plan->program(1));
  auto lines = linesOf(ledger);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].count, 3u);
  EXPECT_EQ(lines[0].locations, 2u);
  EXPECT_EQ(lines[1].count, 1u);
  auto totals = totalsOf(ledger);
  ASSERT_EQ(totals.size(), 3u);
  EXPECT_EQ(totals[0].axes, "tp");
  EXPECT_EQ(totals[0].count, 3u);
  EXPECT_EQ(totals[0].bytes, 3u * 64 * 64 * 4);
  EXPECT_DOUBLE_EQ(totals[0].seconds, 3 * ledger[0].seconds);
  EXPECT_EQ(totals[1].axes, "dp");
  EXPECT_EQ(totals[2].axes, "dp,tp");
}

TEST(Ledger, Printed) {
  auto plan = ledgerPlan().load();
  std::ostringstream out;
  inspect(*plan, out);
  auto text = out.str();
  for (auto *part :
       {"predicted for tcp", "  train_64\n",
        "3 x all_reduce sum over tp (4), f32 16.00 KiB, stream 0, ",
        "loc(\"test.mlir\":1:1) and 1 more\n",
        "1 x all_reduce sum over dp (2), f32 1.00 MiB, stream 2, ",
        "over tp: 3 calls, 48.00 KiB, "})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  // The largest bucket stands for all.
  EXPECT_EQ(text.find("  train_16\n"), std::string::npos);

  auto json = nlohmann::json::parse(inspectJson(*plan));
  EXPECT_EQ(json["collectives"].size(), 10u);
  EXPECT_EQ(json["collectives"][8]["program"], "train_64");
  EXPECT_EQ(json["collectives"][8]["stream"], 2);
  ASSERT_EQ(json["collective_totals"].size(), 6u);
  EXPECT_EQ(json["collective_totals"][3]["count"], 3);
  EXPECT_GT(json["collective_totals"][3]["predicted_us"], 0);
}

} // namespace
