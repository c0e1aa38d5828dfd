#include "runtime/train/Elements.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace llamarun {

DType toFileDType(fb::DType dtype) {
  switch (dtype) {
  case fb::DType::F32:
    return DType::F32;
  case fb::DType::BF16:
    return DType::BF16;
  case fb::DType::F16:
    return DType::F16;
  case fb::DType::F64:
    return DType::F64;
  case fb::DType::I32:
    return DType::I32;
  case fb::DType::I64:
    return DType::I64;
  case fb::DType::U8:
    return DType::U8;
  }
  fail(ExitCode::BadInput, "unknown dtype ", static_cast<int>(dtype));
}

namespace {

template <typename T>
void store(std::span<const double> values, std::span<std::byte> out) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    T element;
    if constexpr (std::is_integral_v<T>) {
      // Casting what does not fit is undefined; 2^63 is the first that does
      // not, and max() as a double rounds up to it.
      using Limits = std::numeric_limits<T>;
      double v = values[i];
      element = v >= static_cast<double>(Limits::max())   ? Limits::max()
                : v <= static_cast<double>(Limits::min()) ? Limits::min()
                : std::isnan(v)                           ? T(0)
                                                          : static_cast<T>(v);
    } else {
      element = static_cast<T>(values[i]);
    }
    std::memcpy(out.data() + i * sizeof(T), &element, sizeof(T));
  }
}

} // namespace

void encodeElements(fb::DType dtype, std::span<const double> values,
                    std::span<std::byte> out) {
  if (out.size() != values.size() * sizeOf(dtype))
    fail(ExitCode::BadInput, out.size(), " bytes for ", values.size(), " ",
         nameOf(dtype));
  switch (dtype) {
  case fb::DType::F64:
    return store<double>(values, out);
  case fb::DType::I32:
    return store<std::int32_t>(values, out);
  case fb::DType::I64:
    return store<std::int64_t>(values, out);
  case fb::DType::U8:
    return store<std::uint8_t>(values, out);
  case fb::DType::F32:
    return store<float>(values, out);
  case fb::DType::F16:
  case fb::DType::BF16: {
    std::vector<float> narrow(values.begin(), values.end());
    return fromFloat(toFileDType(dtype), narrow, out);
  }
  }
}

Shape shapeOf(const fb::Buffer &buffer) {
  Shape shape;
  for (std::size_t i = 0; i < sizeOf(buffer.shape()); ++i)
    shape.push_back(buffer.shape()->Get(i));
  return shape;
}

std::uint64_t elementsOf(const Shape &shape) {
  std::uint64_t n = 1;
  for (auto extent : shape)
    n *= extent;
  return n;
}

} // namespace llamarun
