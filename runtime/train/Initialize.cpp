#include "runtime/train/Initialize.h"

#include "runtime/support/Error.h"
#include "runtime/train/CounterRandom.h"
#include "runtime/train/Elements.h"

#include <algorithm>
#include <vector>

namespace llamarun {

void drawInitial(fb::InitKind kind, double a, std::uint64_t seed,
                 std::string_view name, std::uint64_t first,
                 std::span<double> out) {
  CounterRandom random(seed, name);
  for (std::size_t i = 0; i < out.size(); ++i) {
    switch (kind) {
    case fb::InitKind::Uniform:
      out[i] = (2 * random.uniform(first + i) - 1) * a;
      break;
    case fb::InitKind::Normal:
      out[i] = random.normal(first + i) * a;
      break;
    case fb::InitKind::Value:
      out[i] = a;
      break;
    default:
      fail(ExitCode::BadInput, "tensor '", name, "' is not one to draw");
    }
  }
}

void initializeTensors(Session &session, std::uint64_t seed,
                       const Ranks &ranks) {
  const Plan &plan = session.plan();
  constexpr std::uint64_t kChunk = 1 << 16;
  std::vector<double> values;
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    const fb::Tensor &tensor = plan.tensor(i);
    fb::InitKind kind = tensor.init()->kind();
    if (kind != fb::InitKind::Uniform && kind != fb::InitKind::Normal &&
        kind != fb::InitKind::Value)
      continue;
    auto dtype = plan.buffer(tensor.buffer()).dtype();
    auto slice = ranks.slice(plan, tensor);
    std::uint64_t count = slice.elements();
    for (std::uint64_t first = 0; first < count; first += kChunk) {
      values.resize(std::min(kChunk, count - first));
      bytes.resize(values.size() * sizeOf(dtype));
      slice.forEachRun(
          first, values.size(), [&](auto index, auto at, auto run) {
            drawInitial(kind, tensor.init()->a(), seed, viewOf(tensor.name()),
                        index, std::span(values).subspan(at, run));
          });
      encodeElements(dtype, values, bytes);
      session.writeTensorPart(tensor.role(), viewOf(tensor.name()), bytes,
                              first * sizeOf(dtype));
    }
  }
}

} // namespace llamarun
