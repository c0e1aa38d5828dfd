//===- DType.cpp - Element types of safetensors files ---------------------===//
#include "runtime/io/DType.h"

#include "runtime/support/Error.h"

#include <array>
#include <bit>
#include <cstring>

namespace llamarun {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data are used as they lie in the file");

struct DTypeInfo {
  std::string_view name;
  unsigned bits;
};

// Indexed by DType.
constexpr std::array<DTypeInfo, 22> kInfo = {{
    {"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6},
    {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8},
    {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},        {"BF16", 16},       {"I32", 32},
    {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},
    {"I64", 64},    {"U64", 64},
}};
static_assert(kInfo[static_cast<size_t>(DType::BF16)].name == "BF16" &&
              kInfo[static_cast<size_t>(DType::U64)].name == "U64");

void checkConversion(DType dtype, size_t bytes, size_t elements) {
  if (!isConvertibleToFloat(dtype))
    fail(ExitCode::BadInput, "dtype ", nameOf(dtype),
         " is not a floating-point type that can be used here (F16, BF16, "
         "F32, F64)");
  size_t width = bitsOf(dtype) / 8;
  if (bytes / width != elements || bytes % width != 0)
    fail(ExitCode::BadInput, bytes, " bytes are not ", elements,
         " elements of ", nameOf(dtype));
}

template <typename Raw, typename Convert>
void loadEach(const std::byte *src, std::span<float> dst, Convert convert) {
  for (size_t i = 0; i < dst.size(); ++i) {
    Raw raw;
    std::memcpy(&raw, src + i * sizeof(Raw), sizeof(Raw));
    dst[i] = convert(raw);
  }
}

template <typename Convert>
void storeEach(std::span<const float> src, std::byte *dst, Convert convert) {
  for (size_t i = 0; i < src.size(); ++i) {
    auto raw = convert(src[i]);
    std::memcpy(dst + i * sizeof(raw), &raw, sizeof(raw));
  }
}

} // namespace

unsigned bitsOf(DType dtype) { return kInfo[static_cast<size_t>(dtype)].bits; }

std::string_view nameOf(DType dtype) {
  return kInfo[static_cast<size_t>(dtype)].name;
}

std::optional<DType> parseDType(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i)
    if (kInfo[i].name == name)
      return static_cast<DType>(i);
  return std::nullopt;
}

bool isConvertibleToFloat(DType dtype) {
  return dtype == DType::F16 || dtype == DType::BF16 || dtype == DType::F32 ||
         dtype == DType::F64;
}

float bf16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t floatToBf16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  // Rounding could carry a NaN's mantissa into infinity: keep it, made quiet.
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<uint16_t>((bits >> 16) | 0x40u);
  // Half of the last kept place, less one where that place is even.
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float f16ToFloat(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  uint32_t magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u) // infinity, NaN: the exponent is all ones
    return std::bit_cast<float>(sign | 0x7f800000u |
                                ((magnitude & 0x3ffu) << 13));
  if (magnitude >= 0x0400u) // normal: rebias the exponent from 15 to 127
    return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
  // Zero or subnormal: magnitude units of 2^-24, exact in float.
  float value = static_cast<float>(magnitude) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

uint16_t floatToF16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) // 65520 and up round to infinity
    return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude >= 0x38800000u) { // at least 2^-14: a normal half
    uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
  }
  if (magnitude < 0x33000000u) // below 2^-25: zero
    return sign;
  // Subnormal: the mantissa with its hidden one, in units of 2^-24.
  uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  uint32_t shift = 126u - (magnitude >> 23); // 14 to 24
  uint32_t kept = mantissa >> shift;
  uint32_t rest = mantissa & ((1u << shift) - 1u);
  uint32_t half = 1u << (shift - 1u);
  if (rest > half || (rest == half && (kept & 1u)))
    ++kept;
  return static_cast<uint16_t>(sign | kept);
}

void toFloat(DType dtype, std::span<const std::byte> src,
             std::span<float> dst) {
  checkConversion(dtype, src.size(), dst.size());
  if (dst.empty())
    return;
  switch (dtype) {
  case DType::BF16:
    return loadEach<uint16_t>(src.data(), dst, bf16ToFloat);
  case DType::F16:
    return loadEach<uint16_t>(src.data(), dst, f16ToFloat);
  case DType::F64:
    return loadEach<double>(src.data(), dst,
                            [](double v) { return static_cast<float>(v); });
  default: // F32
    std::memcpy(dst.data(), src.data(), src.size());
  }
}

void fromFloat(DType dtype, std::span<const float> src,
               std::span<std::byte> dst) {
  checkConversion(dtype, dst.size(), src.size());
  if (src.empty())
    return;
  switch (dtype) {
  case DType::BF16:
    return storeEach(src, dst.data(), floatToBf16);
  case DType::F16:
    return storeEach(src, dst.data(), floatToF16);
  case DType::F64:
    return storeEach(src, dst.data(),
                     [](float v) { return static_cast<double>(v); });
  default: // F32
    std::memcpy(dst.data(), src.data(), dst.size());
  }
}

} // namespace llamarun
