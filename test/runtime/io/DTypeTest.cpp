// References: values decoded with ldexp in double precision, and rounding by
// search for the nearest representable value.
#include "runtime/io/DType.h"

#include "test/runtime/io/TestFiles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace llamarun {
namespace {

// Value of a binary format with `exponentBits` and `mantissaBits`, IEEE 754.
double decode(uint16_t bits, int exponentBits, int mantissaBits) {
  int mantissa = bits & ((1 << mantissaBits) - 1);
  int exponent = (bits >> mantissaBits) & ((1 << exponentBits) - 1);
  double sign = bits & 0x8000 ? -1 : 1;
  int bias = (1 << (exponentBits - 1)) - 1;
  if (exponent == (1 << exponentBits) - 1)
    return mantissa ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign * std::ldexp(mantissa + (1 << mantissaBits),
                           exponent - bias - mantissaBits);
}

// Nearest positive code to |value|, ties to the even code. Codes of positive
// values ascend with the values; infinity counts as the power of two after the
// largest finite value, which is where IEEE 754 rounds to it.
uint16_t encode(float value, int exponentBits, int mantissaBits) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::abs(static_cast<double>(value));
  int infinity = ((1 << exponentBits) - 1) << mantissaBits;
  auto valueOf = [&](int code) {
    return code == infinity ? std::ldexp(1.0, 1 << (exponentBits - 1))
                            : decode(static_cast<uint16_t>(code), exponentBits,
                                     mantissaBits);
  };
  int low = 0, high = infinity;
  if (magnitude >= valueOf(infinity))
    return static_cast<uint16_t>(sign | infinity);
  while (high - low > 1) {
    int middle = (low + high) / 2;
    (valueOf(middle) <= magnitude ? low : high) = middle;
  }
  double below = magnitude - valueOf(low), above = valueOf(high) - magnitude;
  bool up = above < below || (above == below && (low & 1));
  return static_cast<uint16_t>(sign | (up ? high : low));
}

std::vector<float> interestingFloats() {
  std::vector<float> values;
  std::mt19937 random(7);
  for (int i = 0; i < 200'000; ++i)
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
  // Every half, the midpoint to the next one, and the floats beside it.
  for (uint32_t code = 0; code < 0x7c00; ++code) {
    double low = decode(static_cast<uint16_t>(code), 5, 10);
    double high = code == 0x7bff
                      ? 65536.0
                      : decode(static_cast<uint16_t>(code + 1), 5, 10);
    auto middle = static_cast<float>((low + high) / 2);
    for (float v :
         {static_cast<float>(low), middle, std::nextafter(middle, 0.0f),
          std::nextafter(middle, INFINITY)}) {
      values.push_back(v);
      values.push_back(-v);
    }
  }
  // The same about the places where bfloat16 rounds.
  for (uint32_t high = 0; high < 0x8000; high += 13)
    for (uint32_t low : {0x0000u, 0x7fffu, 0x8000u, 0x8001u})
      values.push_back(std::bit_cast<float>((high << 16) | low));
  for (float v : {INFINITY, std::numeric_limits<float>::max(),
                  std::numeric_limits<float>::denorm_min()})
    values.push_back(v);
  std::erase_if(values, [](float v) { return std::isnan(v); });
  return values;
}

TEST(DType, EveryHalfAndBfloat16DecodesExactly) {
  for (uint32_t code = 0; code <= 0xffff; ++code) {
    auto bits = static_cast<uint16_t>(code);
    for (auto [got, want] : {std::pair(f16ToFloat(bits), decode(bits, 5, 10)),
                             std::pair(bf16ToFloat(bits), decode(bits, 8, 7))})
      if (std::isnan(want))
        ASSERT_TRUE(std::isnan(got)) << code;
      else
        ASSERT_EQ(std::bit_cast<uint64_t>(static_cast<double>(got)),
                  std::bit_cast<uint64_t>(want))
            << code;
  }
}

TEST(DType, RoundsToNearestEven) {
  for (float value : interestingFloats()) {
    ASSERT_EQ(floatToF16(value), encode(value, 5, 10))
        << std::hexfloat << value;
    ASSERT_EQ(floatToBf16(value), encode(value, 8, 7))
        << std::hexfloat << value;
  }
}

TEST(DType, NanStaysNan) {
  for (uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0x7fc00000u}) {
    auto nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(decode(floatToF16(nan), 5, 10)));
    EXPECT_TRUE(std::isnan(decode(floatToBf16(nan), 8, 7)));
  }
}

TEST(DType, ArraysOfAnyAlignment) {
  const std::vector<float> values = {0, -0.0f, 1, -2.5f, 65504, 0x1p-24f};
  for (DType dtype : {DType::F16, DType::BF16, DType::F32, DType::F64}) {
    size_t bytes = values.size() * bitsOf(dtype) / 8;
    std::vector<std::byte> memory(bytes + 1);
    auto odd = std::span(memory).subspan(1);
    fromFloat(dtype, values, odd);
    std::vector<float> back(values.size());
    toFloat(dtype, odd, back);
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(back[i],
                dtype == DType::BF16 && values[i] == 65504 ? 65536 : values[i]);
  }
  const double d = 0.1;
  float f = 0;
  toFloat(DType::F64, std::as_bytes(std::span(&d, 1)), std::span(&f, 1));
  EXPECT_EQ(f, 0.1f);
}

TEST(DType, RefusesIntegersAndWrongSizes) {
  std::vector<std::byte> bytes(8);
  std::vector<float> two(2);
  expectError(ExitCode::BadInput, {"I32"},
              [&] { toFloat(DType::I32, bytes, two); });
  expectError(ExitCode::BadInput, {"8 bytes are not 2 elements of F64"},
              [&] { toFloat(DType::F64, bytes, two); });
  expectError(ExitCode::BadInput, {"BF16"},
              [&] { fromFloat(DType::BF16, two, bytes); });
}

TEST(DType, NamesAndSizes) {
  // From the safetensors format's description.
  const std::pair<const char *, unsigned> all[] = {
      {"BOOL", 8},    {"U8", 8},          {"I8", 8},          {"I16", 16},
      {"U16", 16},    {"F16", 16},        {"BF16", 16},       {"I32", 32},
      {"U32", 32},    {"F32", 32},        {"I64", 64},        {"U64", 64},
      {"F64", 64},    {"C64", 64},        {"F8_E4M3", 8},     {"F8_E5M2", 8},
      {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6},
      {"F6_E3M2", 6}, {"F4", 4}};
  for (auto [name, bits] : all) {
    auto dtype = parseDType(name);
    ASSERT_TRUE(dtype) << name;
    EXPECT_EQ(nameOf(*dtype), name);
    EXPECT_EQ(bitsOf(*dtype), bits) << name;
  }
  EXPECT_FALSE(parseDType("f32"));
  EXPECT_FALSE(parseDType(""));
}

} // namespace
} // namespace llamarun
