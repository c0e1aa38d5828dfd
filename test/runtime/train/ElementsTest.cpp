#include "runtime/train/Elements.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace llamarun {
namespace {

template <typename T>
std::vector<T> encoded(fb::DType dtype, std::vector<double> values) {
  std::vector<T> out(values.size());
  encodeElements(dtype, values, std::as_writable_bytes(std::span(out)));
  return out;
}

TEST(EncodeElements, RoundsAndSaturates) {
  using Limits = std::numeric_limits<std::int64_t>;
  EXPECT_EQ(encoded<float>(fb::DType::F32, {0.1, -2}),
            (std::vector<float>{0.1f, -2}));
  EXPECT_EQ(encoded<double>(fb::DType::F64, {0.1}), std::vector<double>{0.1});
  EXPECT_EQ(encoded<std::int64_t>(fb::DType::I64, {-3.7, 1e300, -1e300}),
            (std::vector<std::int64_t>{-3, Limits::max(), Limits::min()}));
  EXPECT_EQ(encoded<std::uint8_t>(fb::DType::U8, {300, -1, std::nan("")}),
            (std::vector<std::uint8_t>{255, 0, 0}));
  // 1 + 2^-9 lies halfway between two bfloat16: the even one.
  EXPECT_EQ(encoded<std::uint16_t>(fb::DType::BF16, {1 + 1.0 / 256, 1.5}),
            (std::vector<std::uint16_t>{0x3f80, 0x3fc0}));
  EXPECT_EQ(encoded<std::uint16_t>(fb::DType::F16, {1.5}),
            std::vector<std::uint16_t>{0x3e00});
}

TEST(ElementsOf, MultipliesExtents) {
  EXPECT_EQ(elementsOf({3, 4, 5}), 60u);
  EXPECT_EQ(elementsOf({}), 1u);
}

} // namespace
} // namespace llamarun
