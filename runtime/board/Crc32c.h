//===- Crc32c.h - The checksum of TFRecord files ---------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <string_view>

namespace llamarun {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4): reflected polynomial
/// 0x82f63b78, first and final value inverted.
std::uint32_t crc32c(std::string_view bytes);

/// As TFRecord files hold it (TensorFlow, core/lib/hash/crc32c.h): rotated
/// right by 15 bits, plus a constant, so that a checksum of data that hold
/// checksums is no checksum of them.
std::uint32_t maskedCrc32c(std::string_view bytes);

} // namespace llamarun
