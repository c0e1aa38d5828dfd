#include "runtime/data/Utf8.h"

#include <cstring>

namespace llamarun {

/// Length of the well-formed character at text[i], 0 if there is none.
static size_t wellFormed(std::string_view text, size_t i) {
  auto at = [&](size_t k) {
    return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
  };
  auto tail = [&](size_t k) { return (at(k) & 0xC0) == 0x80; };
  unsigned lead = at(i), second = at(i + 1);
  if (lead < 0x80)
    return 1;
  if (lead >= 0xC2 && lead <= 0xDF)
    return tail(i + 1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(i + 1) || !tail(i + 2) || (lead == 0xE0 && second < 0xA0) ||
        (lead == 0xED && second > 0x9F))
      return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(i + 1) || !tail(i + 2) || !tail(i + 3) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return 0;
    return 4;
  }
  return 0;
}

size_t findInvalidUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    // Eight ASCII bytes at a time: almost all text is.
    uint64_t word;
    if (i + 8 <= text.size() && (std::memcpy(&word, text.data() + i, 8),
                                 (word & 0x8080808080808080ull) == 0)) {
      i += 8;
      continue;
    }
    size_t length = wellFormed(text, i);
    if (length == 0)
      return i;
    i += length;
  }
  return std::string_view::npos;
}

uint32_t codePointAt(std::string_view text, size_t i) {
  auto at = [&](size_t k) -> uint32_t {
    return static_cast<unsigned char>(text[k]);
  };
  uint32_t lead = at(i);
  switch (utf8Length(text[i])) {
  case 1:
    return lead;
  case 2:
    return (lead & 0x1F) << 6 | (at(i + 1) & 0x3F);
  case 3:
    return (lead & 0x0F) << 12 | (at(i + 1) & 0x3F) << 6 | (at(i + 2) & 0x3F);
  default:
    return (lead & 0x07) << 18 | (at(i + 1) & 0x3F) << 12 |
           (at(i + 2) & 0x3F) << 6 | (at(i + 3) & 0x3F);
  }
}

size_t previousCharacter(std::string_view text, size_t position) {
  do
    --position;
  while (position > 0 &&
         (static_cast<unsigned char>(text[position]) & 0xC0) == 0x80);
  return position;
}

void appendUtf8(std::string &text, uint32_t c) {
  auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

bool isWhiteSpace(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

} // namespace llamarun
