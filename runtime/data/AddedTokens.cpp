#include "runtime/data/AddedTokens.h"

#include "runtime/data/Utf8.h"
#include "runtime/support/Error.h"

#include <algorithm>

namespace llamarun {

// Bounds the work of a search that fails late at every position.
static constexpr size_t kMaxTokenBytes = 1024;

void StringSet::insert(std::string_view text, int32_t value) {
  if (values.empty())
    values.push_back(-1);
  firstBytes.set(static_cast<unsigned char>(text[0]));
  int32_t node = 0;
  for (char c : text) {
    int32_t byte = static_cast<unsigned char>(c);
    if (auto *child = children.find(node, byte)) {
      node = child->value;
      continue;
    }
    auto made = static_cast<int32_t>(values.size());
    values.push_back(-1);
    children.insert(node, byte, 0, made);
    node = made;
  }
  values[node] = value;
}

std::optional<StringSet::Match> StringSet::longestAt(std::string_view text,
                                                     size_t position) const {
  if (!firstBytes.test(static_cast<unsigned char>(text[position])))
    return std::nullopt;
  std::optional<Match> longest;
  int32_t node = 0;
  for (size_t i = position; i < text.size(); ++i) {
    auto *child = children.find(node, static_cast<unsigned char>(text[i]));
    if (!child)
      break;
    node = child->value;
    if (values[node] >= 0)
      longest = Match{i + 1 - position, values[node]};
  }
  return longest;
}

AddedTokens::AddedTokens(std::vector<AddedToken> given,
                         const Normalizer &normalizer)
    : tokens(std::move(given)),
      // Rust's \w, which single_word is defined by.
      wordCharacter("[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]",
                    "single_word") {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const AddedToken &token = tokens[i];
    if (token.content.empty())
      fail(ExitCode::BadInput, "added token ", token.id, " is empty");
    std::string pattern =
        token.normalized ? normalizer.apply(token.content) : token.content;
    if (pattern.size() > kMaxTokenBytes)
      fail(ExitCode::BadInput, "added token ", token.id, " has ",
           pattern.size(), " bytes, at most ", kMaxTokenBytes, " are allowed");
    // A normalizer may erase a token: then nothing can match it.
    if (!pattern.empty())
      (token.normalized ? normalized : raw)
          .insert(pattern, static_cast<int32_t>(i));
  }
}

/// The end of the white space that starts at `position`.
static size_t skipSpace(std::string_view text, size_t position) {
  while (position < text.size() && isWhiteSpace(codePointAt(text, position)))
    position += utf8Length(text[position]);
  return position;
}

void AddedTokens::find(std::string_view text, const StringSet &set,
                       bool atStart, std::vector<Piece> &out) const {
  auto isWord = [&](size_t position) {
    bool found = false;
    wordCharacter.forEachMatch(
        text.substr(position, utf8Length(text[position])),
        [&](size_t, size_t) { found = true; });
    return found;
  };
  size_t done = 0, spaceEnd = 0;
  auto pushText = [&](size_t begin, size_t end) {
    out.push_back({std::string(text.substr(begin, end - begin)), -1,
                   atStart && begin == 0});
  };
  for (size_t i = 0; !set.empty() && i < text.size();) {
    std::optional<StringSet::Match> match = set.longestAt(text, i);
    if (!match) {
      ++i;
      continue;
    }
    const AddedToken &token = tokens[match->value];
    size_t begin = i, end = i + match->length;
    i = end;
    if (token.singleWord &&
        ((begin > 0 && isWord(previousCharacter(text, begin))) ||
         (end < text.size() && isWord(end))))
      continue;
    if (token.lstrip)
      while (begin > done) {
        size_t before = previousCharacter(text, begin);
        if (before < done || !isWhiteSpace(codePointAt(text, before)))
          break;
        begin = before;
      }
    if (token.rstrip) {
      // Several tokens may lie in one run of spaces: look at the run once.
      if (end > spaceEnd || spaceEnd == 0)
        spaceEnd = skipSpace(text, end);
      end = std::max(end, spaceEnd);
    }
    if (done < begin)
      pushText(done, begin);
    out.push_back({{}, token.id, false});
    // A token of white space may start inside what rstrip took: it is found all
    // the same, as in the reference.
    done = end;
  }
  if (done < text.size())
    pushText(done, text.size());
}

std::vector<Piece> AddedTokens::split(std::string_view text,
                                      const Normalizer &normalizer) const {
  std::vector<Piece> rawPieces;
  find(text, raw, true, rawPieces);
  if (normalizer.empty() && normalized.empty())
    return rawPieces;
  std::vector<Piece> pieces;
  for (Piece &piece : rawPieces) {
    if (piece.token >= 0)
      pieces.push_back(std::move(piece));
    else
      find(normalizer.apply(piece.text), normalized, piece.atStart, pieces);
  }
  return pieces;
}

} // namespace llamarun
