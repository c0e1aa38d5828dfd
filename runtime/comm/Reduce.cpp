#include "runtime/comm/Reduce.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

namespace llamarun {
namespace {

struct BFloat16 {
  std::uint16_t bits;
};

// What elements are added in: floats of bf16, unsigned integers, which wrap.
float toSum(float x) { return x; }
double toSum(double x) { return x; }
std::uint32_t toSum(std::int32_t x) { return static_cast<std::uint32_t>(x); }
std::uint64_t toSum(std::int64_t x) { return static_cast<std::uint64_t>(x); }
float toSum(BFloat16 x) {
  return std::bit_cast<float>(std::uint32_t{x.bits} << 16);
}

template <typename T, typename S> T fromSum(S sum) {
  if constexpr (!std::is_same_v<T, BFloat16>) {
    return static_cast<T>(sum);
  } else {
    auto bits = std::bit_cast<std::uint32_t>(sum);
    if (std::isnan(sum)) // rounding could make an infinity of it
      return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
    return {
        static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
  }
}

template <typename S> S larger(S a, S b) {
  if constexpr (std::is_floating_point_v<S>) {
    return a > b || std::isnan(a) ? a : b;
  } else {
    using Signed = std::make_signed_t<S>;
    return static_cast<Signed>(a) > static_cast<Signed>(b) ? a : b;
  }
}

// Partial sums stay in the first cache.
constexpr std::uint64_t kBlock = 1024;

template <typename T>
void reduce(Reduction reduction, void *target,
            std::span<const void *const> parts, std::uint64_t count) {
  using S = decltype(toSum(T{}));
  S sums[kBlock];
  for (std::uint64_t begin = 0; begin < count; begin += kBlock) {
    auto size = std::min(kBlock, count - begin);
    auto *first = static_cast<const T *>(parts[0]) + begin;
    for (std::uint64_t i = 0; i < size; ++i)
      sums[i] = toSum(first[i]);
    for (std::size_t p = 1; p < parts.size(); ++p) {
      auto *part = static_cast<const T *>(parts[p]) + begin;
      if (reduction == Reduction::Sum)
        for (std::uint64_t i = 0; i < size; ++i)
          sums[i] += toSum(part[i]);
      else
        for (std::uint64_t i = 0; i < size; ++i)
          sums[i] = larger(sums[i], toSum(part[i]));
    }
    auto *to = static_cast<T *>(target) + begin;
    for (std::uint64_t i = 0; i < size; ++i)
      to[i] = fromSum<T>(sums[i]);
  }
}

} // namespace

bool isReducible(fb::DType dtype) {
  using enum fb::DType;
  return dtype == F32 || dtype == BF16 || dtype == F64 || dtype == I32 ||
         dtype == I64;
}

void reduceInOrder(Reduction reduction, fb::DType dtype, void *target,
                   std::span<const void *const> parts, std::uint64_t count) {
  switch (dtype) {
  case fb::DType::F32:
    return reduce<float>(reduction, target, parts, count);
  case fb::DType::BF16:
    return reduce<BFloat16>(reduction, target, parts, count);
  case fb::DType::F64:
    return reduce<double>(reduction, target, parts, count);
  case fb::DType::I32:
    return reduce<std::int32_t>(reduction, target, parts, count);
  case fb::DType::I64:
    return reduce<std::int64_t>(reduction, target, parts, count);
  case fb::DType::F16:
  case fb::DType::U8:
    break;
  }
  fail(ExitCode::BadInput, "cannot reduce elements of ", nameOf(dtype));
}

} // namespace llamarun
