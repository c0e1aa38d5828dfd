#include "runtime/train/LossSums.h"

#include <span>

namespace llamarun {

void LossSums::restore(RunningSums from) {
  if (from.shares.size() != ranks.size())
    from = from.folded();
  loss = from.loss;
  taskLoss = from.taskLoss;
  allLoss = from.allLoss;
  count = from.count;
  if (!from.shares.empty())
    share = from.shares[ranks.rank()];
}

void LossSums::store(RunningSums &sums) const {
  sums.loss = loss;
  sums.taskLoss = taskLoss;
  sums.allLoss = allLoss;
  sums.count = count;
  sums.shares = {share};
}

void LossSums::add(const StepResult &result) {
  loss += result.loss;
  allLoss += result.loss;
  share += result.share;
  taskLoss += result.taskLoss.value_or(0);
  ++count;
}

void LossSums::collect() {
  if (!ownShares)
    return;
  auto shares = ranks.gatherNumbers(std::span(&share, 1));
  share = 0;
  double sum = 0;
  for (unsigned rank = 0; rank < ranks.size(); ++rank)
    if (ranks.leads(rank))
      sum += shares[rank];
  loss += sum;
  allLoss += sum;
  taskLoss += sum;
}

void LossSums::restart() {
  loss = taskLoss = 0;
  count = 0;
}

} // namespace llamarun
