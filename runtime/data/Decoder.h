//===- Decoder.h - From tokens back to text ---------------------*- C++ -*-===//
//
// Source of the semantics: huggingface/tokenizers, decoders/.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace llamarun {

/// A sequence of steps over the list of token texts; what is left is joined.
/// With no step tokens are joined by spaces.
class Decoder {
public:
  /// ByteLevel characters to bytes, all tokens together.
  struct ByteLevel {};
  /// <0xHH> tokens to bytes; a run that is no UTF-8 gives U+FFFD for each.
  struct ByteFallback {};
  /// All tokens into one.
  struct Fuse {};
  /// `pattern` to `content` in each token.
  struct Replace {
    std::string pattern, content;
  };
  /// Up to `start` times `content` (one character) off the start of each token,
  /// up to `stop` times off its end.
  struct Strip {
    std::string content;
    size_t start, stop;
  };
  /// `replacement` to a space; in the first token, if `strip`, to nothing.
  struct Metaspace {
    std::string replacement;
    bool strip;
  };
  using Step =
      std::variant<ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace>;
  std::vector<Step> steps;

  /// The text of `tokens`; bytes that are no UTF-8 become U+FFFD.
  std::string decode(std::vector<std::string> tokens) const;
};

} // namespace llamarun
