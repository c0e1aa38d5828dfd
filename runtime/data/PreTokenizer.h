//===- PreTokenizer.h - Cutting text into words for the model ---*- C++ -*-===//
//
// Source of the semantics: huggingface/tokenizers, pre_tokenizers/.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/data/Regex.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace llamarun {

/// A part of the text on its way to ids.
struct Piece {
  std::string text;
  int32_t token = -1;   ///< id of the added token it is, else -1: still text
  bool atStart = false; ///< it starts where the whole text starts
};

/// What becomes of the matches of a Split.
enum class SplitBehavior {
  Removed,            ///< "a-b" -> a b
  Isolated,           ///< "a-b" -> a - b
  MergedWithPrevious, ///< "a-b" -> a- b
  MergedWithNext,     ///< "a-b" -> a -b
  Contiguous          ///< as Isolated, neighbouring matches together
};

/// One step; rewrites each piece that is still text into none, one or several.
class PreTokenizerStep {
public:
  virtual ~PreTokenizerStep() = default;
  /// Appends what `piece` (text, not empty) becomes to `out`; empty pieces may
  /// be among them.
  virtual void apply(Piece piece, std::vector<Piece> &out) const = 0;
};

/// A sequence of steps.
class PreTokenizer {
public:
  void addSplit(Regex pattern, SplitBehavior behavior, bool invert);

  /// GPT-2's: `addPrefixSpace` puts a space before a piece without one,
  /// `split` cuts by GPT-2's own expression; bytes become ByteLevel characters.
  void addByteLevel(bool addPrefixSpace, bool split);

  enum class Prepend { First, Never, Always };
  /// SentencePiece's: spaces become `replacement` (one character), which is put
  /// before the first or every piece that lacks it; `split` cuts before each.
  void addMetaspace(std::string replacement, Prepend prepend, bool split);

  /// Rewrites `pieces`; none is empty afterwards.
  void apply(std::vector<Piece> &pieces) const;

private:
  std::vector<std::unique_ptr<PreTokenizerStep>> steps;
};

} // namespace llamarun
