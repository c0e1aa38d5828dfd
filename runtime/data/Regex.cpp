#include "runtime/data/Regex.h"

#include "runtime/data/Utf8.h"
#include "runtime/support/Error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace llamarun {

static constexpr size_t kMaxPatternBytes = 64 << 10;
static constexpr uint32_t kMatchLimit = 10'000'000;
static constexpr uint32_t kHeapLimitKiB = 256 << 10;

static std::string errorText(int code) {
  PCRE2_UCHAR text[256];
  if (pcre2_get_error_message(code, text, sizeof text) < 0)
    return "error " + std::to_string(code);
  return reinterpret_cast<const char *>(text);
}

/// The limits, shared by all threads: a match only reads them.
static pcre2_match_context *limits() {
  static pcre2_match_context *context = [] {
    pcre2_match_context *made = pcre2_match_context_create(nullptr);
    if (!made)
      throw std::bad_alloc();
    pcre2_set_match_limit(made, kMatchLimit);
    pcre2_set_heap_limit(made, kHeapLimitKiB);
    return made;
  }();
  return context;
}

void Regex::Free::operator()(pcre2_real_code_8 *code) const {
  pcre2_code_free(code);
}

Regex::Regex(std::string_view pattern, std::string where)
    : origin(std::move(where)) {
  if (pattern.size() > kMaxPatternBytes)
    fail(ExitCode::BadInput, origin, ": regular expression of ", pattern.size(),
         " bytes, at most ", kMaxPatternBytes, " are allowed");
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Multiline because ^ and $ are so in Oniguruma's Ruby syntax; \C could stop
  // in the middle of a character.
  code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
      &offset, nullptr));
  if (!code)
    fail(ExitCode::BadInput, origin,
         ": malformed regular expression: ", errorText(error), " at byte ",
         offset);
  // Without a JIT (other processor, memory not executable) the interpreter
  // runs.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
}

Regex Regex::literal(std::string_view text, std::string origin) {
  std::string pattern;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = byte >= 0x80 || (c >= '0' && c <= '9') ||
                 (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (byte == 0)
      pattern += "\\x00";
    else if (plain || byte <= ' ')
      pattern += c;
    else
      (pattern += '\\') += c;
  }
  return Regex(pattern, std::move(origin));
}

void Regex::forEachMatch(
    std::string_view text,
    const std::function<void(size_t, size_t)> &found) const {
  std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data *)> data(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  if (!data)
    throw std::bad_alloc();
  size_t position = 0, lastEnd = std::string_view::npos;
  while (position <= text.size()) {
    auto match = [&](uint32_t options) {
      return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                         text.size(), position, options, data.get(), limits());
    };
    int result = match(PCRE2_NO_UTF_CHECK);
    // The interpreter keeps its backtracking on the heap, the JIT on 32 KiB.
    if (result == PCRE2_ERROR_JIT_STACKLIMIT)
      result = match(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH)
      return;
    if (result < 0)
      fail(ExitCode::BadInput, origin, ": the regular expression cannot be ",
           "matched to a text of ", text.size(), " bytes: ", errorText(result));
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(data.get());
    size_t begin = range[0], end = range[1];
    if (begin > end || begin < position)
      fail(ExitCode::BadInput, origin,
           ": the regular expression moves the start of its match (\\K)");
    if (begin == end && begin == lastEnd) {
      if (begin == text.size())
        return;
      position = begin + utf8Length(text[begin]);
      // The next search may still match before `position` only if it is empty.
      lastEnd = std::string_view::npos;
      continue;
    }
    found(begin, end);
    position = lastEnd = end;
  }
}

} // namespace llamarun
