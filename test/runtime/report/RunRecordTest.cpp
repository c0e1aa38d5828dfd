#include "runtime/report/RunRecord.h"

#include "test/runtime/plan/PlanBuilder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace llamarun {
namespace {

TEST(RunRecord, SaysWhatARunWasStartedWith) {
  auto builder = test::smallPlan();
  builder.plan.flags = "--task=sst2";
  RunFacts facts{.version = "1.2",
                 .arguments = {{"seed", "7"}, {"data", "caf\xe9 \"x\""}},
                 .devices = "2 x cpu",
                 .examples = 10,
                 .steps = 4,
                 .trainableParameters = 16};
  auto record = nlohmann::json::parse(runRecord(*builder.load(), facts));
  EXPECT_EQ(record["llamarun"], "1.2");
  EXPECT_EQ(record["arguments"]["seed"], "7");
  EXPECT_EQ(record["arguments"]["data"], "caf\ufffd \"x\"");
  EXPECT_EQ(record["devices"], "2 x cpu");
  EXPECT_EQ(record["examples"], 10);
  EXPECT_EQ(record["steps"], 4);
  EXPECT_EQ(record["trainable_parameters"], 16);
  EXPECT_EQ(record["plan"]["flags"], "--task=sst2");
  EXPECT_EQ(record["plan"]["target"]["kind"], "cpu");
  EXPECT_FALSE(record["plan"]["adapter"].contains("modules"));
  EXPECT_EQ(record["memory"]["weights"], 64);
}

} // namespace
} // namespace llamarun
