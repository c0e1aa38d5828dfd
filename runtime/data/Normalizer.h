//===- Normalizer.h - What happens to text before it is split ---*- C++ -*-===//
//
// Source of the semantics: huggingface/tokenizers, normalizers/.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/data/Regex.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace llamarun {

/// No text that a tokenizer makes from its input may be larger.
inline constexpr size_t kMaxTextBytes = size_t(64) << 20;

/// A sequence of rewriting steps; none leaves the text as it is.
class Normalizer {
public:
  /// Puts `prefix` before the text unless the text is empty.
  void addPrepend(std::string prefix);
  /// Replaces every match of `pattern` by `content`.
  void addReplace(Regex pattern, std::string content);

  /// Throws BadInput if the result is larger than kMaxTextBytes.
  std::string apply(std::string_view text) const;
  bool empty() const { return steps.empty(); }

private:
  struct Prepend {
    std::string prefix;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  std::vector<std::variant<Prepend, Replace>> steps;
};

} // namespace llamarun
