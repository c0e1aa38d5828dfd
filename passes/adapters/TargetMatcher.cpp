//===- TargetMatcher.cpp - Which modules an adapter takes -----------------===//
#include "passes/adapters/TargetMatcher.h"

using namespace llamac;

static llvm::Expected<std::regex> compile(const std::string &text) {
  try {
    return std::regex(text, std::regex::ECMAScript);
  } catch (const std::regex_error &e) {
    return llvm::createStringError("'" + text +
                                   "' is no regular expression: " + e.what());
  }
}

static bool fullMatch(llvm::StringRef text, const std::regex &regex) {
  return std::regex_match(text.begin(), text.end(), regex);
}

llvm::Expected<TargetMatcher>
TargetMatcher::create(llvm::ArrayRef<std::string> targets) {
  TargetMatcher matcher;
  if (targets.empty())
    return llvm::createStringError("no adapter targets given");
  llvm::StringRef first = targets.front();
  if (first.consume_front("regex:")) {
    if (targets.size() != 1)
      return llvm::createStringError("a regex is the only target");
    auto regex = compile(first.str());
    if (!regex)
      return regex.takeError();
    matcher.regex = std::move(*regex);
    matcher.entries = {first.str()};
    return matcher;
  }
  matcher.entries.assign(targets.begin(), targets.end());
  matcher.all = targets.size() == 1 && first == "all-linear";
  return matcher;
}

bool TargetMatcher::matches(llvm::StringRef module) const {
  if (all)
    return true;
  if (regex)
    return fullMatch(module, *regex);
  for (llvm::StringRef entry : entries)
    if (module == entry || module.ends_with(("." + entry).str()))
      return true;
  return false;
}

llvm::Expected<NumberPattern>
NumberPattern::create(llvm::ArrayRef<std::string> entries) {
  NumberPattern pattern;
  for (llvm::StringRef entry : entries) {
    auto [key, text] = entry.rsplit('=');
    double number;
    if (key.empty() || text.getAsDouble(number) || !(number > 0))
      return llvm::createStringError("'" + entry + "' is not key=number");
    auto regex = compile("(.*\\.)?" + key.str());
    if (!regex)
      return regex.takeError();
    pattern.keys.push_back(std::move(*regex));
    pattern.numbers.emplace_back(key.str(), number);
  }
  return pattern;
}

double NumberPattern::lookup(llvm::StringRef module, double otherwise) const {
  for (size_t i = 0; i < keys.size(); ++i)
    if (fullMatch(module, keys[i]))
      return numbers[i].second;
  return otherwise;
}
