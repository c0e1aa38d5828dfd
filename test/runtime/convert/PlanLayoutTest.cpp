// A plan's tensors as a checkpoint describes them, and what differs by name.
#include "runtime/convert/PlanLayout.h"

#include "runtime/plan/Inspect.h"
#include "test/runtime/convert/SmallPlans.h"
#include "test/runtime/io/TestFiles.h"

#include <functional>
#include <sstream>

using namespace llamarun;
using namespace llamarun::test;

namespace {

/// A checkpoint that fits the plan; its files are never opened.
Checkpoint fitting(const Plan &plan, fb::Side side = fb::Side::Own) {
  Checkpoint c;
  c.directory = "here";
  c.grid = gridOf(plan, side);
  c.modelHash = "model";
  for (auto *tensor : checkpointedTensors(plan, side))
    c.tensors[keyOf(*tensor)] = describe(plan, *tensor);
  return c;
}

TEST(PlanLayout, DescribesTensors) {
  auto plan = trainingPlan({2, 4}).load();
  Checkpoint c = fitting(*plan);
  EXPECT_EQ(layoutName(c.grid), "ddp2,tp4");
  // No gradients, no weights.
  EXPECT_EQ(c.tensors.size(), 10u);
  const CheckpointTensor &columns = c.tensors.at("first_moment/columns");
  EXPECT_EQ(columns.shape, (Shape{3, 8}));
  EXPECT_EQ(columns.split, (CheckpointSplit{{}, {"tp"}}));
  EXPECT_EQ(c.partShape(columns), (Shape{3, 2}));
  EXPECT_EQ(c.tensors.at("state/optimizer.step").dtype, DType::I64);
  EXPECT_NO_THROW(requireLayout(c, *plan));
}

TEST(PlanLayout, AnAxisOfOneDeviceSplitsNothing) {
  auto plan = trainingPlan({2, 1}).load();
  EXPECT_EQ(fitting(*plan).tensors.at("parameter/columns").split,
            (CheckpointSplit{{}, {}}));
  // A grid that has it is as good as one without.
  Checkpoint c = fitting(*plan);
  EXPECT_EQ(c.grid, (CheckpointGrid{{"dp", 2}}));
  c.grid.push_back({"tp", 1});
  EXPECT_NO_THROW(requireLayout(c, *plan));
}

TEST(PlanLayout, SidesOfAPlanThatChangesLayouts) {
  auto plan = elementPlan({4, 1}, {1, 2}).load();
  EXPECT_EQ(layoutName(gridOf(*plan, fb::Side::Source)), "ddp4");
  EXPECT_EQ(layoutName(gridOf(*plan, fb::Side::Target)), "tp2");
  EXPECT_EQ(layoutName(gridOf(*plan)), "ddp1");
  EXPECT_TRUE(checkpointedTensors(*plan).empty());
  Checkpoint target = fitting(*plan, fb::Side::Target);
  EXPECT_EQ(target.tensors.at("parameter/rows").split,
            (CheckpointSplit{{"tp"}, {}}));
  EXPECT_NO_THROW(requireLayout(target, *plan, fb::Side::Target));
  expectError(ExitCode::BadInput, {"is laid out for tp2", "converts from ddp4"},
              [&] { requireLayout(target, *plan, fb::Side::Source); });
}

TEST(PlanLayout, InspectShowsBothLayouts) {
  std::ostringstream out;
  auto plan = elementPlan({4, 1}, {1, 2}).load();
  inspect(*plan, out);
  EXPECT_NE(out.str().find("layouts     dp=4 x tp=1 to dp=1 x tp=2\n"),
            std::string::npos)
      << out.str();
  EXPECT_NE(inspectJson(*plan).find("\"target_grid\""), std::string::npos);
}

TEST(PlanLayout, DifferencesAreNamed) {
  auto plan = trainingPlan({1, 2}).load();
  struct Case {
    const char *message;
    std::function<void(Checkpoint &)> change;
  };
  const Case cases[] = {
      {"'parameter/rows' is F32 [8, 4], the plan's F32 [8, 3]",
       [](auto &c) {
         c.tensors.at("parameter/rows").shape = {8, 4};
       }},
      {"'state/optimizer.step' is I32 [1], the plan's I64 [1]",
       [](auto &c) {
         c.tensors.at("state/optimizer.step").dtype = DType::I32;
       }},
      {"'parameter/rows' is split [[], [tp]], the plan's [[tp], []]",
       [](auto &c) {
         c.tensors.at("parameter/rows").split = {{}, {"tp"}};
       }},
      {"'first_moment/whole', which the plan has, is missing",
       [](auto &c) { c.tensors.erase("first_moment/whole"); }},
      {"'parameter/z' is not in the plan",
       [](auto &c) { c.tensors["parameter/z"] = {}; }},
      {"was trained from another model file",
       [](auto &c) { c.modelHash = "x"; }},
      {"is laid out for ddp2,tp2, the plan for tp2",
       [](auto &c) {
         c.grid.insert(c.grid.begin(), {"dp", 2});
       }},
  };
  for (auto &[message, change] : cases) {
    Checkpoint c = fitting(*plan);
    change(c);
    expectError(ExitCode::BadInput, {"here/checkpoint.json", message},
                [&] { requireLayout(c, *plan); });
  }
}

} // namespace
