#include "runtime/data/Normalizer.h"

#include "runtime/support/Error.h"

namespace llamarun {

void Normalizer::addPrepend(std::string prefix) {
  steps.emplace_back(Prepend{std::move(prefix)});
}

void Normalizer::addReplace(Regex pattern, std::string content) {
  steps.emplace_back(Replace{std::move(pattern), std::move(content)});
}

static void checkSize(size_t bytes) {
  if (bytes > kMaxTextBytes)
    fail(ExitCode::BadInput, "the tokenizer's normalizer makes a text of more ",
         "than ", kMaxTextBytes, " bytes");
}

static std::string replaceAll(std::string_view text, const Regex &pattern,
                              std::string_view content) {
  std::string result;
  size_t copied = 0;
  pattern.forEachMatch(text, [&](size_t begin, size_t end) {
    result.append(text, copied, begin - copied);
    result.append(content);
    copied = end;
    checkSize(result.size());
  });
  result.append(text, copied);
  return result;
}

std::string Normalizer::apply(std::string_view text) const {
  std::string result(text);
  for (const auto &step : steps) {
    if (auto *prepend = std::get_if<Prepend>(&step)) {
      if (!result.empty())
        result.insert(0, prepend->prefix);
    } else {
      const auto &replace = std::get<Replace>(step);
      result = replaceAll(result, replace.pattern, replace.content);
    }
    checkSize(result.size());
  }
  return result;
}

} // namespace llamarun
