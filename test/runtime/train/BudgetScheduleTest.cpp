// Against what PEFT's own code does at each step (make_budget_golden.py), and
// the masks of the committed golden run.
#include "runtime/train/BudgetSchedule.h"

#include "runtime/io/JsonFile.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <flatbuffers/flatbuffers.h>

#include <memory>

namespace llamarun {
namespace {

using nlohmann::json;

/// The adapter table of a plan.
class AdapterTable {
public:
  AdapterTable(std::uint64_t matrices, std::uint32_t rank,
               std::uint32_t targetRank, std::uint64_t tinit,
               std::uint64_t tfinal, std::uint64_t deltaT,
               std::uint64_t total) {
    fb::AdapterT adapter;
    adapter.kind = "adalora";
    adapter.rank = rank;
    for (std::uint64_t i = 0; i < matrices; ++i)
      adapter.modules.push_back("m" + std::to_string(i));
    adapter.adalora = std::make_unique<fb::AdaLoraT>();
    adapter.adalora->target_rank = targetRank;
    adapter.adalora->tinit = tinit;
    adapter.adalora->tfinal = tfinal;
    adapter.adalora->delta_t = deltaT;
    adapter.adalora->total_step = total;
    builder.Finish(fb::CreateAdapter(builder, &adapter));
  }
  const fb::Adapter &table() {
    return *flatbuffers::GetRoot<fb::Adapter>(builder.GetBufferPointer());
  }

private:
  flatbuffers::FlatBufferBuilder builder;
};

AdapterTable tableOf(const json &row, bool withTotal = true) {
  return {row["matrices"],
          row["init_r"],
          row["target_r"],
          row["tinit"],
          row["tfinal"],
          row["deltaT"],
          withTotal ? row["total_step"].get<std::uint64_t>() : 0};
}

json goldenOf(const char *file) {
  return json::parse(contents(std::filesystem::path(LLAMAC_SOURCE_DIR) / file));
}

TEST(BudgetSchedule, IsPeftsAtEveryStep) {
  json golden = goldenOf("test/runtime/train/budget.golden.json");
  ASSERT_GT(golden["schedules"].size(), 15u);
  for (const json &row : golden["schedules"]) {
    auto adapter = tableOf(row);
    BudgetSchedule schedule(adapter.table(), 7);
    for (const json &step : row["steps"]) {
      SCOPED_TRACE(row["init_r"].dump() + " " + row["total_step"].dump() + " " +
                   step.dump());
      Allocation ours = schedule.at(step[0]);
      bool updates =
          ours.mode == Allocation::Score || ours.mode == Allocation::ScoreMask;
      EXPECT_EQ(updates, step[1].get<bool>());
      EXPECT_EQ(ours.allocates(), !step[2].is_null());
      if (ours.allocates()) {
        EXPECT_EQ(ours.k, step[2].get<std::int64_t>());
        EXPECT_EQ(ours.budget, schedule.initialBudget() - ours.k);
      }
      EXPECT_EQ(ours.mode == Allocation::KeepMask, step[3].get<bool>());
    }
  }
}

TEST(BudgetSchedule, TotalStepIsTheTrainingsLengthIfThePlanHasNone) {
  json row = goldenOf("test/runtime/train/budget.golden.json")["schedules"][0];
  auto open = tableOf(row, false), closed = tableOf(row);
  BudgetSchedule a(open.table(), row["total_step"]), b(closed.table(), 1000);
  EXPECT_EQ(a.totalStep(), row["total_step"].get<std::uint64_t>());
  EXPECT_EQ(b.totalStep(), a.totalStep());
  for (std::uint64_t step = 0; step < 25; ++step)
    EXPECT_EQ(a.at(step), b.at(step)) << step;
}

TEST(BudgetSchedule, CountsOfTheGoldenRunAreItsBudgets) {
  json trace = goldenOf("test/golden/train/sst2-adalora/trace.json");
  const json &a = trace["adapter"];
  AdapterTable adapter(a["rank_pattern"].size(), a["init_r"], a["target_r"],
                       a["tinit"], a["tfinal"], a["deltaT"], 0);
  BudgetSchedule schedule(adapter.table(), trace["steps"].size());
  int allocations = 0;
  for (const json &step : trace["steps"]) {
    Allocation now = schedule.at(step["step"]);
    if (now.mode == Allocation::Score)
      continue; // what was masked before may have grown again
    std::int64_t kept = 0;
    for (auto &[module, mask] : step["kept"].items())
      for (bool bit : mask)
        kept += bit;
    EXPECT_EQ(kept, now.budget) << step["step"];
    allocations += now.allocates();
  }
  EXPECT_EQ(allocations, 5); // steps 3, 6, 9, 12, and T1 = 14
}

TEST(BudgetSchedule, RefusesTrainingWithoutAStepToLowerTheRanksIn) {
  AdapterTable adapter(2, 4, 2, 3, 5, 1, 0);
  EXPECT_NO_THROW(BudgetSchedule(adapter.table(), 9));
  for (std::uint64_t steps : {8, 5, 1})
    expectFailure(ExitCode::Usage,
                  {"tinit 3", "tfinal 5", "of " + std::to_string(steps)},
                  [&] { BudgetSchedule(adapter.table(), steps); });
}

} // namespace
} // namespace llamarun
