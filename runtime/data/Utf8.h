//===- Utf8.h - Checking and walking UTF-8 text ----------------*- C++ -*-===//
//
// Text enters the program as bytes; it is checked once with findInvalidUtf8 and
// trusted afterwards, so the other functions ask for valid text.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace llamarun {

/// The offset of the first byte that is not part of well-formed UTF-8 (RFC
/// 3629: no overlong forms, no surrogates, nothing above U+10FFFF); npos if all
/// is well.
size_t findInvalidUtf8(std::string_view text);

/// Bytes of the character that starts with `lead`, 1 to 4; `lead` starts a
/// character of valid text.
inline size_t utf8Length(char lead) {
  auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The code point that starts at text[position]; `text` is valid UTF-8.
uint32_t codePointAt(std::string_view text, size_t position);

/// The start of the character that ends just before `position` > 0.
size_t previousCharacter(std::string_view text, size_t position);

void appendUtf8(std::string &text, uint32_t codePoint);

/// Unicode's White_Space property, what \s means in Rust's and Oniguruma's
/// regular expressions.
bool isWhiteSpace(uint32_t codePoint);

} // namespace llamarun
