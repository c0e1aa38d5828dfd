#include "runtime/train/BudgetSchedule.h"

#include "runtime/support/Error.h"

#include <cmath>

namespace llamarun {

BudgetSchedule::BudgetSchedule(const fb::Adapter &adapter,
                               std::uint64_t steps) {
  auto &a = *adapter.adalora();
  auto signedOf = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  auto matrices = signedOf(sizeOf(adapter.modules()));
  initial = matrices * adapter.rank();
  target = matrices * a.target_rank();
  tinit = signedOf(a.tinit());
  tfinal = signedOf(a.tfinal());
  deltaT = signedOf(a.delta_t());
  total = signedOf(a.total_step() ? a.total_step() : steps);
  if (tinit >= total - tfinal)
    fail(ExitCode::Usage, "adalora: tinit ", tinit, " and tfinal ", tfinal,
         " leave none of ", total,
         " steps to lower the ranks in: train longer, or compile the plan "
         "with smaller ones");
}

std::int64_t BudgetSchedule::budgetAt(std::int64_t step) const {
  double share = 1 - static_cast<double>(step - tinit) /
                         static_cast<double>(total - tfinal - tinit);
  // Volatile: Python rounds the product before it adds, and a compiler may
  // not. A last bit decides about a triplet where the sum is near an integer.
  volatile double product =
      static_cast<double>(initial - target) * std::pow(share, 3.0);
  return static_cast<std::int64_t>(product + static_cast<double>(target));
}

Allocation BudgetSchedule::at(std::uint64_t index) const {
  auto step = static_cast<std::int64_t>(index);
  std::int64_t last = total - tfinal; // T1
  if (step > last)
    return {Allocation::KeepMask, 0, target};
  if (step <= tinit)
    return {Allocation::Score, 0, initial};
  std::int64_t budget = budgetAt(step);
  if (step == last)
    return {Allocation::ForcedMask, initial - budget, budget};
  if (step % deltaT == 0)
    return {Allocation::ScoreMask, initial - budget, budget};
  return {Allocation::Score, 0, budget};
}

std::optional<BudgetSchedule> budgetSchedule(const Plan &plan,
                                             std::uint64_t steps) {
  if (!plan.adapter().adalora())
    return std::nullopt;
  return BudgetSchedule(plan.adapter(), steps);
}

} // namespace llamarun
