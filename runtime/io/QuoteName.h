//===- QuoteName.h - Text of untrusted origin in messages ------*- C++ -*-===//
#pragma once

#include <string>
#include <string_view>

namespace llamarun {

/// `text` in single quotes with control and non-ASCII bytes as \xNN, cut after
/// 200 bytes. Names in input files are hostile: they must neither steer the
/// terminal that shows the message nor flood it.
inline std::string quoteName(std::string_view text) {
  constexpr size_t kShown = 200;
  constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "'";
  for (char c : text.substr(0, kShown)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      quoted += c;
    else
      (((quoted += "\\x") += kHex[byte >> 4]) += kHex[byte & 15]);
  }
  return quoted + (text.size() > kShown ? "...'" : "'");
}

} // namespace llamarun
