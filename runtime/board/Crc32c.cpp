#include "runtime/board/Crc32c.h"

#include <array>
#include <bit>

namespace llamarun {

static constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}();

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t value = ~0u;
  for (char c : bytes)
    value =
        (value >> 8) ^ kTable[(value ^ static_cast<unsigned char>(c)) & 255];
  return ~value;
}

std::uint32_t maskedCrc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

} // namespace llamarun
