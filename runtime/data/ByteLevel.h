//===- ByteLevel.h - GPT-2's alphabet of bytes ------------------*- C++ -*-===//
#pragma once

#include <string>
#include <string_view>

namespace llamarun {

/// Every byte of `bytes` as the printable character that stands for it in the
/// vocabulary of a byte-level BPE (space is U+0120). Source: GPT-2's
/// bytes_to_unicode(): bytes that print stand for themselves as code points,
/// the others for U+0100 upwards in order.
std::string toByteLevel(std::string_view bytes);

/// The inverse, appended to `bytes`; false, with nothing appended, if `text`
/// (valid UTF-8) has a character outside the alphabet.
bool fromByteLevel(std::string_view text, std::string &bytes);

} // namespace llamarun
