// Random weights of a benchmark.
#include "runtime/support/Error.h"
#include "runtime/train/CounterRandom.h"
#include "runtime/train/Elements.h"
#include "runtime/train/LoadWeights.h"
#include "runtime/train/TensorUpload.h"

#include <cmath>
#include <memory>
#include <type_traits>

namespace llamarun {
namespace {

constexpr double kDeviation = 0.02;
constexpr std::size_t kQuantiles = 1 << 16;

/// The x at which a standard normal variable is below with probability p, in
/// (0, 1): Newton's method on erfc, from the logistic approximation.
double normalQuantile(double p) {
  double x = std::log(p / (1 - p)) / 1.702;
  for (int i = 0; i < 12; ++i) {
    double error = 0.5 * std::erfc(-x / std::numbers::sqrt2) - p;
    double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    x -= std::clamp(error / density, -0.5, 0.5);
  }
  return x;
}

struct Table {
  float asFloat[kQuantiles];
  std::uint16_t asBf16[kQuantiles];
};

const Table &table() {
  static const std::unique_ptr<const Table> made = [] {
    auto table = std::make_unique<Table>();
    for (std::size_t i = 0; i < kQuantiles; ++i) {
      double p = (static_cast<double>(i) + 0.5) / kQuantiles;
      table->asFloat[i] = static_cast<float>(kDeviation * normalQuantile(p));
      table->asBf16[i] = floatToBf16(table->asFloat[i]);
    }
    return table;
  }();
  return *made;
}

} // namespace

template <typename T>
void drawMatrix(std::uint64_t seed, std::string_view name, std::uint64_t first,
                std::span<T> out) {
  const T *values;
  if constexpr (std::is_same_v<T, float>)
    values = table().asFloat;
  else
    values = table().asBf16;
  CounterRandom random(seed, name);
  std::size_t i = 0;
  while (i < out.size() && (first + i) % 4) {
    out[i] =
        values[random.bits((first + i) / 4) >> 16 * ((first + i) % 4) & 0xffff];
    ++i;
  }
  for (; i + 4 <= out.size(); i += 4) {
    auto bits = random.bits((first + i) / 4);
    for (unsigned j = 0; j < 4; ++j)
      out[i + j] = values[bits >> 16 * j & 0xffff];
  }
  for (; i < out.size(); ++i)
    out[i] =
        values[random.bits((first + i) / 4) >> 16 * ((first + i) % 4) & 0xffff];
}

template void drawMatrix(std::uint64_t, std::string_view, std::uint64_t,
                         std::span<float>);
template void drawMatrix(std::uint64_t, std::string_view, std::uint64_t,
                         std::span<std::uint16_t>);

void drawWeights(Session &session, std::uint64_t seed, unsigned threads,
                 const Ranks &ranks) {
  const Plan &plan = session.plan();
  table(); // by one thread
  TensorUpload upload(session, threads);
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    const fb::Tensor &tensor = plan.tensor(i);
    if (tensor.init()->kind() != fb::InitKind::Checkpoint)
      continue;
    auto &buffer = plan.buffer(tensor.buffer());
    auto dtype = buffer.dtype();
    auto name = viewOf(tensor.name());
    auto slice = ranks.slice(plan, tensor);
    bool vector = slice.whole.size() < 2;
    if (!isConvertibleToFloat(toFileDType(dtype)))
      fail(ExitCode::BadInput, plan.path(), ": weight '", name, "' is ",
           nameOf(dtype), ", which is not drawn");
    auto size = sizeOf(dtype);
    auto draw = [&](std::uint64_t index, std::span<std::byte> out) {
      auto count = out.size() / size;
      if (!vector && dtype == fb::DType::BF16)
        return drawMatrix<std::uint16_t>(
            seed, name, index,
            {reinterpret_cast<std::uint16_t *>(out.data()), count});
      if (!vector && dtype == fb::DType::F32)
        return drawMatrix<float>(
            seed, name, index, {reinterpret_cast<float *>(out.data()), count});
      std::vector<float> values(count, 1.0f);
      if (!vector)
        drawMatrix<float>(seed, name, index, values);
      fromFloat(toFileDType(dtype), values, out);
    };
    upload.write(tensor, [&](std::uint64_t first, std::span<std::byte> out) {
      slice.forEachRun(first, out.size() / size,
                       [&](auto index, auto at, auto count) {
                         draw(index, out.subspan(at * size, count * size));
                       });
    });
    ranks.progress();
  }
  upload.finish();
}

} // namespace llamarun
