#include "runtime/train/LoadWeights.h"

#include "test/runtime/train/TinyPlan.h"

#include <cmath>
#include <gtest/gtest.h>

namespace llamarun {
namespace {

TEST(DrawWeights, AreNormal) {
  std::vector<float> values(1 << 20);
  drawMatrix<float>(1, "w", 0, values);
  double mean = 0, square = 0, fourth = 0;
  int below = 0;
  for (double v : values) {
    double x = v / 0.02;
    mean += x;
    square += x * x;
    fourth += x * x * x * x;
    below += x < -1.6448536;
  }
  auto n = static_cast<double>(values.size());
  EXPECT_NEAR(mean / n, 0, 5e-3);
  EXPECT_NEAR(square / n, 1, 5e-3);
  EXPECT_NEAR(fourth / n, 3, 3e-2); // 1.8 if it were uniform
  EXPECT_NEAR(below / n, 0.05, 1e-3);
}

TEST(DrawWeights, DependOnSeedNameAndPositionAlone) {
  std::vector<float> whole(1000), part(37);
  drawMatrix<float>(1, "w", 0, whole);
  for (std::uint64_t first : {0u, 1u, 2u, 3u, 500u, 963u}) {
    drawMatrix<float>(1, "w", first, part);
    for (std::size_t i = 0; i < part.size(); ++i)
      ASSERT_EQ(part[i], whole[first + i]) << first << " + " << i;
  }
  auto other = whole;
  drawMatrix<float>(2, "w", 0, other);
  EXPECT_NE(other, whole);
  drawMatrix<float>(1, "v", 0, other);
  EXPECT_NE(other, whole);
  std::vector<std::uint16_t> bits(1000);
  drawMatrix<std::uint16_t>(1, "w", 0, bits);
  for (std::size_t i = 0; i < bits.size(); ++i)
    ASSERT_EQ(bits[i], floatToBf16(whole[i]));
}

TEST(DrawWeights, FillsTheFrozenTensors) {
  for (auto dtype : {fb::DType::F32, fb::DType::BF16}) {
    auto session = tiny::openSession({.weights = dtype, .rows = 1000});
    drawWeights(*session, 9, 2);
    std::vector<float> expected(4000);
    drawMatrix<float>(9, "model.embed_tokens.weight", 0, expected);
    if (dtype == fb::DType::F32) {
      EXPECT_EQ(tiny::read<float>(*session, fb::Role::Weight,
                                  "model.embed_tokens.weight"),
                expected);
    } else {
      auto bits = tiny::read<std::uint16_t>(*session, fb::Role::Weight,
                                            "model.embed_tokens.weight");
      for (std::size_t i = 0; i < bits.size(); ++i)
        ASSERT_EQ(bits[i], floatToBf16(expected[i]));
    }
    // Parameters are not its business.
    EXPECT_EQ(tiny::read<float>(*session, fb::Role::Parameter, tiny::kLoraA),
              std::vector<float>(8));
  }
}

} // namespace
} // namespace llamarun
