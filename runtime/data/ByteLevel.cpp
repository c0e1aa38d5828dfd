#include "runtime/data/ByteLevel.h"

#include "runtime/data/Utf8.h"

#include <array>

namespace llamarun {

namespace {
struct Alphabet {
  std::array<std::string, 256> character;
  std::array<int, 0x200> byte;

  Alphabet() {
    byte.fill(-1);
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; ++b) {
      bool prints = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) ||
                    (b >= 0xAE && b <= 0xFF);
      uint32_t codePoint = prints ? b : next++;
      appendUtf8(character[b], codePoint);
      byte[codePoint] = static_cast<int>(b);
    }
  }
};
} // namespace

static const Alphabet &alphabet() {
  static const Alphabet made;
  return made;
}

std::string toByteLevel(std::string_view bytes) {
  const Alphabet &letters = alphabet();
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 4);
  for (char c : bytes)
    text += letters.character[static_cast<unsigned char>(c)];
  return text;
}

bool fromByteLevel(std::string_view text, std::string &bytes) {
  const Alphabet &letters = alphabet();
  size_t before = bytes.size();
  for (size_t i = 0; i < text.size(); i += utf8Length(text[i])) {
    uint32_t codePoint = codePointAt(text, i);
    int byte = codePoint < letters.byte.size() ? letters.byte[codePoint] : -1;
    if (byte < 0) {
      bytes.resize(before);
      return false;
    }
    bytes.push_back(static_cast<char>(byte));
  }
  return true;
}

} // namespace llamarun
