#include "runtime/device/FillPattern.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace llamarun {
namespace {

std::uint16_t toBF16(double value) {
  auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  if (std::isnan(value))
    return 0x7fc0;
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Rounds to the nearest half, ties to even.
std::uint16_t toF16(double value) {
  std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double x = std::fabs(value);
  if (std::isnan(value))
    return 0x7e00;
  if (x >= 65520) // halfway between the largest half and 2^16
    return sign | 0x7c00;
  int exponent = 0;
  std::frexp(x, &exponent);
  // Spacing of halves around x: 2^(exponent - 11), at least 2^-24.
  int scale = std::max(exponent - 11, -24);
  auto steps = static_cast<unsigned>(std::nearbyint(std::ldexp(x, -scale)));
  // Below 1024 steps of 2^-24 the number is subnormal and steps are its bits;
  // above, the carry of a rounding up moves into the exponent by itself.
  return static_cast<std::uint16_t>(
      sign | (steps + (static_cast<unsigned>(scale + 24) << 10)));
}

} // namespace

FillPattern fillPattern(fb::DType dtype, double value) {
  auto put = [](auto v) {
    FillPattern pattern;
    std::memcpy(pattern.bytes, &v, sizeof v);
    pattern.size = sizeof v;
    return pattern;
  };
  switch (dtype) {
  case fb::DType::F32:
    return put(static_cast<float>(value));
  case fb::DType::F64:
    return put(value);
  case fb::DType::BF16:
    return put(toBF16(value));
  case fb::DType::F16:
    return put(toF16(value));
  case fb::DType::I32:
    return put(static_cast<std::int32_t>(value));
  case fb::DType::I64:
    return put(static_cast<std::int64_t>(value));
  case fb::DType::U8:
    return put(static_cast<std::uint8_t>(value));
  }
  fail(ExitCode::BadInput, "fill of an unknown dtype");
}

} // namespace llamarun
