//===- TargetMatcher.h - Which modules an adapter takes --------*- C++ -*-===//
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <regex>
#include <string>
#include <vector>

namespace llamac {

/// PEFT's selection of modules (tuners_utils.py check_target_module_exists):
/// list entries match a module path or its end after a dot; one entry
/// `regex:R` matches the whole path (ECMAScript syntax); `all-linear` matches
/// every linear layer of the decoder.
class TargetMatcher {
public:
  static llvm::Expected<TargetMatcher>
  create(llvm::ArrayRef<std::string> targets);

  bool matches(llvm::StringRef module) const;
  bool isRegex() const { return regex.has_value(); }
  /// The targets as adapter_config.json has them: without `regex:`.
  const std::vector<std::string> &names() const { return entries; }

private:
  std::vector<std::string> entries;
  std::optional<std::regex> regex;
  bool all = false;
};

/// Entries `key=number` of rank_pattern and alpha_pattern: the first key that
/// is a module's path or its end (or matches so as a regex) wins.
class NumberPattern {
public:
  static llvm::Expected<NumberPattern>
  create(llvm::ArrayRef<std::string> entries);
  double lookup(llvm::StringRef module, double otherwise) const;
  const std::vector<std::pair<std::string, double>> &entries() const {
    return numbers;
  }

private:
  std::vector<std::pair<std::string, double>> numbers;
  std::vector<std::regex> keys;
};

} // namespace llamac
