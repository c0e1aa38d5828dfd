//===- ModulePattern.h - Regular expressions over module names -*- C++ -*-===//
#pragma once

#include <memory>
#include <string_view>

namespace llamarun {

/// A compiled regular expression of untrusted origin (an adapter's config):
/// PCRE2, whose syntax contains what Python's `re` patterns for module names
/// use, with limits on matching steps and memory instead of exponential time.
class ModulePattern {
public:
  /// Compiles `(.*\.)?(<key>)$`, matched from the start: how PEFT looks a
  /// module up in rank_pattern and alpha_pattern (peft/utils/other.py,
  /// get_pattern_key).
  /// \throws Error(BadInput) with the pattern and what is wrong with it.
  static ModulePattern forKey(std::string_view key);

  ModulePattern(ModulePattern &&) noexcept;
  ModulePattern &operator=(ModulePattern &&) noexcept;
  ~ModulePattern();

  /// \throws Error(BadInput) if matching exceeds its limits.
  bool matches(std::string_view module) const;

private:
  struct Compiled;
  explicit ModulePattern(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled;
};

} // namespace llamarun
