//===- ProbeOptions.cpp - The text of --probe -----------------------------===//
#include "compiler/options/CompilerOptions.h"

#include "passes/adapters/TargetMatcher.h"

#include <cmath>

using namespace llamac;

llvm::Expected<ProbeOptions> ProbeOptions::parse(llvm::StringRef text,
                                                 double threshold) {
  ProbeOptions options;
  if (text.empty())
    return options;
  auto [kind, modules] = text.split(':');
  if (kind != "activations" || (text.contains(':') && modules.empty()))
    return llvm::createStringError("--probe: '" + text +
                                   "' is not activations or "
                                   "activations:<regular expression>");
  if (!(threshold >= 0) || std::isinf(threshold))
    return llvm::createStringError("--probe-threshold must not be negative");
  if (!modules.empty())
    if (auto matcher =
            TargetMatcher::create((llvm::Twine("regex:") + modules).str());
        !matcher)
      return llvm::createStringError("--probe: " +
                                     llvm::toString(matcher.takeError()));
  options.activations = true;
  options.modules = modules.str();
  options.threshold = threshold;
  return options;
}
