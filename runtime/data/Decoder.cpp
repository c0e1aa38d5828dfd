#include "runtime/data/Decoder.h"

#include "runtime/data/ByteLevel.h"
#include "runtime/data/Utf8.h"

#include <charconv>

namespace llamarun {

namespace {

constexpr char kReplacementCharacter[] = "\xEF\xBF\xBD";

std::string replaceInvalid(std::string_view bytes) {
  std::string text;
  for (;;) {
    size_t bad = findInvalidUtf8(bytes);
    text += bytes.substr(0, bad);
    if (bad == std::string_view::npos)
      return text;
    text += kReplacementCharacter;
    bytes.remove_prefix(bad + 1);
    // One mark for the whole of a broken character.
    while (!bytes.empty() &&
           (static_cast<unsigned char>(bytes[0]) & 0xC0) == 0x80)
      bytes.remove_prefix(1);
  }
}

std::string replaceAll(const std::string &text, const std::string &pattern,
                       const std::string &content) {
  std::string result;
  size_t from = 0, at;
  while (!pattern.empty() &&
         (at = text.find(pattern, from)) != std::string::npos) {
    result.append(text, from, at - from).append(content);
    from = at + pattern.size();
  }
  return result.append(text, from);
}

/// The byte of "<0xHH>", -1 if `token` is not of this form.
int byteOf(std::string_view token) {
  unsigned byte;
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>')
    return -1;
  auto [end, error] =
      std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  return error == std::errc() && end == token.data() + 5
             ? static_cast<int>(byte)
             : -1;
}

using Tokens = std::vector<std::string>;

Tokens run(const Decoder::ByteLevel &, const Tokens &tokens) {
  std::string bytes;
  for (const std::string &token : tokens)
    if (!fromByteLevel(token, bytes))
      bytes += token; // added tokens are not in the alphabet
  return {replaceInvalid(bytes)};
}

Tokens run(const Decoder::ByteFallback &, const Tokens &tokens) {
  Tokens result;
  std::string bytes;
  auto flush = [&] {
    if (findInvalidUtf8(bytes) == std::string::npos) {
      if (!bytes.empty())
        result.push_back(bytes);
    } else {
      result.insert(result.end(), bytes.size(), kReplacementCharacter);
    }
    bytes.clear();
  };
  for (const std::string &token : tokens) {
    int byte = byteOf(token);
    if (byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
      continue;
    }
    flush();
    result.push_back(token);
  }
  flush();
  return result;
}

Tokens run(const Decoder::Fuse &, const Tokens &tokens) {
  std::string all;
  for (const std::string &token : tokens)
    all += token;
  return {all};
}

Tokens run(const Decoder::Replace &step, Tokens tokens) {
  for (std::string &token : tokens)
    token = replaceAll(token, step.pattern, step.content);
  return tokens;
}

Tokens run(const Decoder::Strip &step, Tokens tokens) {
  for (std::string &token : tokens) {
    std::string_view rest = token;
    for (size_t i = 0; i < step.start && rest.starts_with(step.content); ++i)
      rest.remove_prefix(step.content.size());
    for (size_t i = 0; i < step.stop && rest.ends_with(step.content); ++i)
      rest.remove_suffix(step.content.size());
    token = std::string(rest);
  }
  return tokens;
}

Tokens run(const Decoder::Metaspace &step, Tokens tokens) {
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = replaceAll(tokens[i], step.replacement,
                           i == 0 && step.strip ? "" : " ");
  return tokens;
}

} // namespace

std::string Decoder::decode(std::vector<std::string> tokens) const {
  for (const Step &step : steps)
    tokens =
        std::visit([&](const auto &one) { return run(one, tokens); }, step);
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && steps.empty())
      text += ' ';
    text += tokens[i];
  }
  return replaceInvalid(text);
}

} // namespace llamarun
