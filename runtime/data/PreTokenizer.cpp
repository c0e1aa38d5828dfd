#include "runtime/data/PreTokenizer.h"

#include "runtime/data/ByteLevel.h"

#include <optional>

namespace llamarun {

namespace {

struct Range {
  size_t begin, end;
  bool isMatch;
};

/// `text` as matches and what lies between them.
std::vector<Range> findRanges(const Regex &pattern, std::string_view text) {
  std::vector<Range> ranges;
  size_t last = 0;
  pattern.forEachMatch(text, [&](size_t begin, size_t end) {
    if (last != begin)
      ranges.push_back({last, begin, false});
    ranges.push_back({begin, end, true});
    last = end;
  });
  if (last != text.size())
    ranges.push_back({last, text.size(), false});
  return ranges;
}

/// Joins neighbours as `behavior` says. A match that follows a match stays
/// apart in the two Merged modes.
std::vector<Range> joinRanges(const std::vector<Range> &ranges,
                              SplitBehavior behavior) {
  std::vector<Range> joined;
  bool previousMatch = false;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const Range &range = ranges[i];
    bool join = false;
    switch (behavior) {
    case SplitBehavior::Removed:
      if (range.isMatch)
        continue;
      break;
    case SplitBehavior::Isolated:
      break;
    case SplitBehavior::MergedWithPrevious:
      join = range.isMatch && !previousMatch;
      break;
    case SplitBehavior::Contiguous:
      join = range.isMatch == previousMatch;
      break;
    case SplitBehavior::MergedWithNext:
      // The mirror image: decided from the right, see below.
      join = !range.isMatch && i > 0 && ranges[i - 1].isMatch;
      break;
    }
    previousMatch = range.isMatch;
    if (join && !joined.empty())
      joined.back().end = range.end;
    else
      joined.push_back(range);
  }
  return joined;
}

void pushRanges(const Piece &piece, const std::vector<Range> &ranges,
                std::vector<Piece> &out) {
  for (const Range &range : ranges)
    out.push_back({piece.text.substr(range.begin, range.end - range.begin), -1,
                   piece.atStart && range.begin == 0});
}

class SplitStep : public PreTokenizerStep {
public:
  SplitStep(Regex pattern, SplitBehavior behavior, bool invert)
      : pattern(std::move(pattern)), behavior(behavior), invert(invert) {}

  void apply(Piece piece, std::vector<Piece> &out) const override {
    std::vector<Range> ranges = findRanges(pattern, piece.text);
    if (invert)
      for (Range &range : ranges)
        range.isMatch = !range.isMatch;
    pushRanges(piece, joinRanges(ranges, behavior), out);
  }

private:
  Regex pattern;
  SplitBehavior behavior;
  bool invert;
};

class ByteLevelStep : public PreTokenizerStep {
public:
  ByteLevelStep(bool addPrefixSpace, bool split)
      : addPrefixSpace(addPrefixSpace) {
    // GPT-2's expression.
    if (split)
      pattern.emplace("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| "
                      "?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
                      "ByteLevel");
  }

  void apply(Piece piece, std::vector<Piece> &out) const override {
    if (addPrefixSpace && piece.text[0] != ' ')
      piece.text.insert(piece.text.begin(), ' ');
    size_t first = out.size();
    if (pattern)
      pushRanges(piece, findRanges(*pattern, piece.text), out);
    else
      out.push_back(std::move(piece));
    for (size_t i = first; i < out.size(); ++i)
      out[i].text = toByteLevel(out[i].text);
  }

private:
  bool addPrefixSpace;
  std::optional<Regex> pattern;
};

class MetaspaceStep : public PreTokenizerStep {
public:
  MetaspaceStep(std::string replacement, PreTokenizer::Prepend prepend,
                bool split)
      : replacement(std::move(replacement)), prepend(prepend), split(split) {}

  void apply(Piece piece, std::vector<Piece> &out) const override {
    std::string text;
    for (char c : piece.text)
      c == ' ' ? text += replacement : text += c;
    bool wanted = prepend == PreTokenizer::Prepend::Always ||
                  (prepend == PreTokenizer::Prepend::First && piece.atStart);
    if (wanted && !text.starts_with(replacement))
      text.insert(0, replacement);
    if (!split) {
      out.push_back({std::move(text), -1, piece.atStart});
      return;
    }
    // Cut before each replacement.
    for (size_t begin = 0; begin < text.size();) {
      size_t end = text.find(replacement, begin + 1);
      end = end == std::string::npos ? text.size() : end;
      out.push_back(
          {text.substr(begin, end - begin), -1, piece.atStart && begin == 0});
      begin = end;
    }
  }

private:
  std::string replacement;
  PreTokenizer::Prepend prepend;
  bool split;
};

} // namespace

void PreTokenizer::addSplit(Regex pattern, SplitBehavior behavior,
                            bool invert) {
  steps.push_back(
      std::make_unique<SplitStep>(std::move(pattern), behavior, invert));
}

void PreTokenizer::addByteLevel(bool addPrefixSpace, bool split) {
  steps.push_back(std::make_unique<ByteLevelStep>(addPrefixSpace, split));
}

void PreTokenizer::addMetaspace(std::string replacement, Prepend prepend,
                                bool split) {
  steps.push_back(
      std::make_unique<MetaspaceStep>(std::move(replacement), prepend, split));
}

void PreTokenizer::apply(std::vector<Piece> &pieces) const {
  auto dropEmpty = [&] {
    std::erase_if(pieces, [](const Piece &piece) {
      return piece.token < 0 && piece.text.empty();
    });
  };
  dropEmpty();
  for (const auto &step : steps) {
    std::vector<Piece> next;
    next.reserve(pieces.size());
    for (Piece &piece : pieces) {
      if (piece.token >= 0)
        next.push_back(std::move(piece));
      else
        step->apply(std::move(piece), next);
    }
    pieces = std::move(next);
    dropEmpty();
  }
}

} // namespace llamarun
