//===- DType.h - Element types of safetensors files ------------*- C++ -*-===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace llamarun {

/// Every dtype of the safetensors format, in the order of the reference
/// implementation's enum (safetensors/src/tensor.rs, `Dtype`): its writer
/// sorts tensors by this order, descending, so keeping it makes our files
/// byte-identical to those of the Python package.
enum class DType : uint8_t {
  Bool,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64,
};

/// Bits of one element: 4 to 64; Bool takes 8.
unsigned bitsOf(DType dtype);

/// The format's spelling: "BF16", "F8_E4M3", "BOOL", ...
std::string_view nameOf(DType dtype);

/// The dtype spelled `name`, or nothing.
std::optional<DType> parseDType(std::string_view name);

/// True for the types that toFloat() reads: F16, BF16, F32, F64.
bool isConvertibleToFloat(DType dtype);

/// Converts dst.size() little-endian elements of `dtype` to float. `src` may
/// have any alignment. F16 and BF16 convert exactly; F64 rounds to nearest
/// even.
/// \throws Error(BadInput) if the type is not convertible or src.size() is not
///   dst.size() elements.
void toFloat(DType dtype, std::span<const std::byte> src, std::span<float> dst);

/// The reverse, to F16, BF16, F32 or F64; rounds to nearest even, overflow
/// becomes infinity, NaN stays NaN. `dst` may have any alignment.
/// \throws Error(BadInput) as toFloat().
void fromFloat(DType dtype, std::span<const float> src,
               std::span<std::byte> dst);

/// Single elements, as bit patterns.
uint16_t floatToBf16(float value);
uint16_t floatToF16(float value);
float bf16ToFloat(uint16_t bits);
float f16ToFloat(uint16_t bits);

} // namespace llamarun
