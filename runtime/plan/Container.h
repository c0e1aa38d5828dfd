//===- Container.h - The 64-byte header around a plan ----------*- C++ -*-===//
//
// Shared by llamac (which writes it) and llamarun (which reads it), hence
// header-only, without exceptions and without any dependency but xxHash.
//
//   offset  bytes  what (all integers little-endian)
//        0      8  magic "LLAMAPLN"
//        8      4  format version
//       12      4  header size, 64
//       16      8  payload size
//       24     16  XXH3-128 of the payload, canonical (big-endian) form
//       40     24  zero
//       64      .  payload, to the end of the file
//
// Every bit of the file is covered: the header's fields have exactly one valid
// value each, the payload has its checksum.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

namespace llama::plan {

inline constexpr char kContainerMagic[9] = "LLAMAPLN";
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kHeaderSize = 64;

namespace detail {
template <typename T> inline void storeLE(std::byte *to, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    to[i] = static_cast<std::byte>(value >> (8 * i));
}
template <typename T> inline T loadLE(const std::byte *from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(static_cast<T>(from[i]) << (8 * i));
  return value;
}
} // namespace detail

/// The header that goes before `payload` in a plan file.
inline std::array<std::byte, kHeaderSize>
makeHeader(std::span<const std::byte> payload) {
  std::array<std::byte, kHeaderSize> header{};
  std::memcpy(header.data(), kContainerMagic, 8);
  detail::storeLE<std::uint32_t>(&header[8], kFormatVersion);
  detail::storeLE<std::uint32_t>(&header[12], kHeaderSize);
  detail::storeLE<std::uint64_t>(&header[16], payload.size());
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits(payload.data(), payload.size()));
  std::memcpy(&header[24], hash.digest, 16);
  return header;
}

/// Header and payload in one string: the bytes of a plan file.
inline std::string makeContainer(std::span<const std::byte> payload) {
  std::string file;
  file.reserve(kHeaderSize + payload.size());
  auto header = makeHeader(payload);
  file.append(reinterpret_cast<const char *>(header.data()), header.size());
  file.append(reinterpret_cast<const char *>(payload.data()), payload.size());
  return file;
}

/// The payload of the plan file `file`, or nothing and the reason in `error`
/// (one clause without the file's name).
inline std::optional<std::span<const std::byte>>
openContainer(std::span<const std::byte> file, std::string &error) {
  auto reject = [&error](std::string why) {
    error = std::move(why);
    return std::nullopt;
  };
  if (file.size() < 8 || std::memcmp(file.data(), kContainerMagic, 8) != 0)
    return reject("not a plan: it does not begin with \"LLAMAPLN\"");
  if (file.size() < kHeaderSize)
    return reject("truncated plan: " + std::to_string(file.size()) +
                  " bytes, the header alone takes 64");
  auto version = detail::loadLE<std::uint32_t>(&file[8]);
  if (version != kFormatVersion)
    return reject("plan format version " + std::to_string(version) +
                  ", this build reads version " +
                  std::to_string(kFormatVersion) +
                  "; rebuild the plan with the matching llamac");
  if (detail::loadLE<std::uint32_t>(&file[12]) != kHeaderSize)
    return reject("corrupt plan header: wrong header size");
  for (std::size_t i = 40; i < kHeaderSize; ++i)
    if (file[i] != std::byte{0})
      return reject("corrupt plan header: padding is not zero");
  auto payload = file.subspan(kHeaderSize);
  auto size = detail::loadLE<std::uint64_t>(&file[16]);
  if (size != payload.size())
    return reject("truncated or overlong plan: its header promises " +
                  std::to_string(size) + " bytes after the header, there are " +
                  std::to_string(payload.size()));
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits(payload.data(), payload.size()));
  if (std::memcmp(hash.digest, &file[24], 16) != 0)
    return reject("corrupt plan: checksum mismatch");
  return payload;
}

} // namespace llama::plan
