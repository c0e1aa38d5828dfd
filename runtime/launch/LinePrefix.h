//===- LinePrefix.h - Rank-tagged lines ------------------------*- C++ -*-===//
#pragma once

#include <string>
#include <string_view>

namespace llamarun {

/// Puts `prefix` before each line of a stream of bytes that comes in pieces.
/// Lines stay whole: pieces of two ranks' lines are never mixed.
class LinePrefix {
public:
  explicit LinePrefix(std::string prefix) : prefix(std::move(prefix)) {}

  /// The whole lines that `bytes` completes, each with its prefix. A line of
  /// more than kLongest bytes is broken.
  std::string add(std::string_view bytes);
  /// The unfinished line, if there is one, as a line.
  std::string end();

  static constexpr std::size_t kLongest = 64 << 10;

private:
  std::string prefix, pending;
};

} // namespace llamarun
