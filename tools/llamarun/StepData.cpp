#include "tools/llamarun/StepData.h"

#include "runtime/train/Bench.h"
#include "runtime/train/TaskData.h"

namespace llamarun {

Dataset stepData(const DeviceFlags &device,
                 const std::shared_ptr<const Plan> &plan,
                 const std::string &data, const std::string &lengths,
                 std::size_t steps, std::uint64_t seed) {
  if (!data.empty()) {
    TaskData task(plan, device.tokenizerDirectory(), data,
                  device.threadCount());
    return task.load(Split::Train);
  }
  return makeSyntheticData(*plan, LengthModel::parse(lengths),
                           steps * defaultDealing(*plan).perRound() *
                               plan->task().accumulation(),
                           seed);
}

} // namespace llamarun
