#include "runtime/comm/Reduce.h"

#include "runtime/support/Error.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

using namespace llamarun;

namespace {

template <typename T>
std::vector<T> reduced(Reduction reduction, fb::DType dtype,
                       const std::vector<std::vector<T>> &parts) {
  std::vector<const void *> pointers;
  for (auto &part : parts)
    pointers.push_back(part.data());
  std::vector<T> result(parts[0].size());
  reduceInOrder(reduction, dtype, result.data(), pointers, result.size());
  return result;
}

TEST(Reduce, OrderIsThatOfTheParts) {
  // (1e8 + 1) - 1e8 is 0 in float, (1e8 - 1e8) + 1 is 1.
  using V = std::vector<std::vector<float>>;
  EXPECT_EQ(
      reduced<float>(Reduction::Sum, fb::DType::F32, V{{1e8f}, {1.f}, {-1e8f}}),
      (std::vector<float>{0.f}));
  EXPECT_EQ(
      reduced<float>(Reduction::Sum, fb::DType::F32, V{{1e8f}, {-1e8f}, {1.f}}),
      (std::vector<float>{1.f}));
}

TEST(Reduce, ManyElementsInPlace) {
  std::vector<double> a(5000), b(5000);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<double>(i);
    b[i] = 0.5 * static_cast<double>(i);
  }
  const void *parts[] = {a.data(), b.data()};
  reduceInOrder(Reduction::Sum, fb::DType::F64, b.data(), parts, b.size());
  for (std::size_t i = 0; i < b.size(); ++i)
    ASSERT_EQ(b[i], 1.5 * static_cast<double>(i)) << i;
}

TEST(Reduce, BFloat16IsRoundedOnce) {
  // 0x3f80 is 1, its last bit 2^-7. Three times 2^-8 * 1.5 (0x3bc0) on top:
  // 1 + 4.5 * 2^-8 rounds to 1 + 2 * 2^-7; rounding each sum would give 3.
  using V = std::vector<std::vector<std::uint16_t>>;
  EXPECT_EQ(reduced<std::uint16_t>(Reduction::Sum, fb::DType::BF16,
                                   V{{0x3f80}, {0x3bc0}, {0x3bc0}, {0x3bc0}}),
            (std::vector<std::uint16_t>{0x3f82}));
  // Ties go to even: 1 + 2^-8 stays, 1 + 2^-7 + 2^-8 goes up.
  EXPECT_EQ(reduced<std::uint16_t>(Reduction::Sum, fb::DType::BF16,
                                   V{{0x3f80, 0x3f81}, {0x3b80, 0x3b80}}),
            (std::vector<std::uint16_t>{0x3f80, 0x3f82}));
  // A NaN whose upper bits alone would be an infinity stays a NaN.
  auto nan = reduced<std::uint16_t>(Reduction::Sum, fb::DType::BF16,
                                    V{{0x7f80}, {0xff80}});
  EXPECT_EQ(nan[0] & 0x7f80, 0x7f80);
  EXPECT_NE(nan[0] & 0x7f, 0);
}

TEST(Reduce, IntegersWrap) {
  using V = std::vector<std::vector<std::int32_t>>;
  auto most = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(reduced<std::int32_t>(Reduction::Sum, fb::DType::I32,
                                  V{{most, -5}, {1, 3}}),
            (std::vector<std::int32_t>{-most - 1, -2}));
  EXPECT_EQ(reduced<std::int64_t>(Reduction::Max, fb::DType::I64,
                                  {{-7, 4}, {-9, 1ll << 40}}),
            (std::vector<std::int64_t>{-7, 1ll << 40}));
}

TEST(Reduce, MaximumKeepsNaN) {
  auto nan = std::numeric_limits<float>::quiet_NaN();
  auto got = reduced<float>(Reduction::Max, fb::DType::F32,
                            {{1, nan, 2}, {3, 1, nan}, {-1, 5, 5}});
  EXPECT_EQ(got[0], 3);
  EXPECT_TRUE(std::isnan(got[1]));
  EXPECT_TRUE(std::isnan(got[2]));
}

TEST(Reduce, RefusesOtherTypes) {
  EXPECT_FALSE(isReducible(fb::DType::U8));
  EXPECT_FALSE(isReducible(fb::DType::F16));
  std::uint8_t byte = 0;
  const void *parts[] = {&byte};
  EXPECT_THROW(reduceInOrder(Reduction::Sum, fb::DType::U8, &byte, parts, 1),
               Error);
}

} // namespace
