//===- Regex.h - Unicode regular expressions with limits --------*- C++ -*-===//
//
// tokenizer.json writes its patterns for Oniguruma; the ones that tokenizers
// use mean the same in PCRE2 with UTF and UCP on.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;

namespace llamarun {

/// A compiled pattern. Thread-safe.
class Regex {
public:
  /// Compiles `pattern`; `origin` (a file and a place in it) opens every
  /// message. Throws BadInput if the pattern is malformed or too large.
  Regex(std::string_view pattern, std::string origin);

  /// A pattern that matches `text` literally.
  static Regex literal(std::string_view text, std::string origin);

  /// Calls `found(begin, end)` for each match in `text` (valid UTF-8), leftmost
  /// first, none overlapping; an empty match where the last one ended is passed
  /// over. Throws BadInput when a match takes more than ten million steps or
  /// 256 MiB: the pattern backtracks without end.
  void forEachMatch(std::string_view text,
                    const std::function<void(size_t, size_t)> &found) const;

private:
  struct Free {
    void operator()(pcre2_real_code_8 *code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code;
  std::string origin;
};

} // namespace llamarun
