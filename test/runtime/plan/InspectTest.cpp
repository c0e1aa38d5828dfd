#include "runtime/plan/Inspect.h"

#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace llamarun;
using namespace llamarun::test;

namespace {

TEST(Inspect, CountsMemoryByCategory) {
  auto builder = smallPlan();
  auto plan = builder.load();
  auto bytes = plannedBytes(*plan);
  // 2 x 8 floats; each moment is as large, the step counter is one i64.
  EXPECT_EQ(bytes[static_cast<int>(fb::Category::Weights)], 64u);
  EXPECT_EQ(bytes[static_cast<int>(fb::Category::Parameters)], 64u);
  EXPECT_EQ(bytes[static_cast<int>(fb::Category::OptimizerState)],
            64u + 64u + 8u);
}

TEST(Inspect, Json) {
  auto builder = smallPlan();
  builder.plan.flags = "--name=\xff"; // not UTF-8
  auto json = nlohmann::json::parse(inspectJson(*builder.load()));
  EXPECT_EQ(json["target"]["kind"], "cpu");
  EXPECT_EQ(json["model"]["parameters"], 32);
  EXPECT_EQ(json["model"]["trainable_parameters"], 16);
  EXPECT_EQ(json["programs"][0]["steps_by_kind"]["gemm"], 2);
  EXPECT_EQ(json["memory"]["weights"], 64);
  EXPECT_EQ(json["tensors"].size(), 7u);
}

TEST(Inspect, TextNamesEverything) {
  auto builder = smallPlan();
  builder.plan.flags = "--evil=\x1b[2J";
  builder.plan.grid.push_back(std::make_unique<fb::GridAxisT>());
  builder.plan.grid[0]->name = "dp";
  builder.plan.grid[0]->size = 1;
  auto &all = builder.step(*builder.plan.programs[0], fb::CollectiveT{});
  all.axes = {0};
  all.source = all.target = 0;
  std::ostringstream out;
  inspect(*builder.load(), out);
  auto text = out.str();
  for (auto *part : {"target      cpu x86-64", "tiny: 1 layers", "train_16",
                     "1 collective", "all_reduce sum over dp", "weights"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

} // namespace
