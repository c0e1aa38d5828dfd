//===- ModulePattern.cpp - Regular expressions over module names ----------===//
#include "runtime/io/ModulePattern.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>
#include <string>

namespace llamarun {
namespace {

// A module name is about 40 characters: honest patterns need some hundred
// steps.
constexpr uint32_t kMatchLimit = 1'000'000;
constexpr uint32_t kHeapLimitKiB = 4096;
constexpr size_t kMaxPatternBytes = 4096;

template <auto Free> struct Deleter {
  template <typename T> void operator()(T *object) const { Free(object); }
};
using Code = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using MatchData =
    std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContext =
    std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;

} // namespace

struct ModulePattern::Compiled {
  std::string key;
  Code code;
  MatchContext context;
};

ModulePattern::ModulePattern(std::unique_ptr<Compiled> compiled)
    : compiled(std::move(compiled)) {}
ModulePattern::ModulePattern(ModulePattern &&) noexcept = default;
ModulePattern &ModulePattern::operator=(ModulePattern &&) noexcept = default;
ModulePattern::~ModulePattern() = default;

ModulePattern ModulePattern::forKey(std::string_view key) {
  if (key.size() > kMaxPatternBytes)
    fail(ExitCode::BadInput, "pattern ", quoteName(key), " is too long");
  auto compiled = std::make_unique<Compiled>();
  compiled->key = key;
  std::string pattern = "(.*\\.)?(" + compiled->key + ")$";
  int error = 0;
  PCRE2_SIZE position = 0;
  compiled->code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
      PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C, &error, &position, nullptr));
  if (!compiled->code) {
    char text[256] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR *>(text),
                            sizeof(text));
    fail(ExitCode::BadInput, "pattern ", quoteName(key),
         " is not a regular expression: ", text);
  }
  compiled->context.reset(pcre2_match_context_create(nullptr));
  if (!compiled->context)
    throw std::bad_alloc();
  pcre2_set_match_limit(compiled->context.get(), kMatchLimit);
  pcre2_set_depth_limit(compiled->context.get(), kMatchLimit);
  pcre2_set_heap_limit(compiled->context.get(), kHeapLimitKiB);
  return ModulePattern(std::move(compiled));
}

bool ModulePattern::matches(std::string_view module) const {
  MatchData match(
      pcre2_match_data_create_from_pattern(compiled->code.get(), nullptr));
  if (!match)
    throw std::bad_alloc();
  int result = pcre2_match(
      compiled->code.get(), reinterpret_cast<PCRE2_SPTR>(module.data()),
      module.size(), 0, 0, match.get(), compiled->context.get());
  if (result < PCRE2_ERROR_NOMATCH)
    fail(ExitCode::BadInput, "pattern ", quoteName(compiled->key),
         " takes too long to match ", quoteName(module));
  return result != PCRE2_ERROR_NOMATCH;
}

} // namespace llamarun
