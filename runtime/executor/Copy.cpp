#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"

#include <algorithm>

namespace llamarun {

/// Row by row where they lie apart; the verifier has checked that both sides
/// then have as many rows of one length.
static void copyRows(const StepContext &context, const fb::Copy &copy) {
  DeviceRange target = context.session.range(copy.target());
  DeviceRange source = context.session.range(copy.source());
  auto to = context.plan.rows(copy.target());
  auto from = context.plan.rows(copy.source());
  if (to.rows == 1 && from.rows == 1)
    return context.device.copy(context.stream, target, source);
  auto rows = std::max(to.rows, from.rows);
  auto width = std::min(to.rowBytes, from.rowBytes);
  auto row = [&](DeviceRange range, const Plan::Rows &layout, std::uint64_t i) {
    auto pitch = layout.rows == 1 ? width : layout.pitch;
    return DeviceRange{static_cast<char *>(range.pointer) + i * pitch, width};
  };
  for (std::uint64_t i = 0; i < rows; ++i)
    context.device.copy(context.stream, row(target, to, i),
                        row(source, from, i));
}

const Executor copyExecutor = {fb::Operation::Copy, [](const StepContext &) {},
                               [](const StepContext &context) {
                                 copyRows(context,
                                          *context.step.operation_as_Copy());
                               }};

} // namespace llamarun
