//===- AdapterOptions.cpp - The text of --adapter -------------------------===//
#include "compiler/options/CompilerOptions.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cmath>

using namespace llamac;

namespace {

llvm::Error bad(llvm::StringRef key, llvm::StringRef value,
                llvm::StringRef wanted) {
  return llvm::createStringError("--adapter: " + key + "='" + value +
                                 "' is not " + wanted);
}

bool isKey(llvm::StringRef word) {
  static constexpr llvm::StringLiteral keys[] = {"r", "alpha", "dropout",
                                                 "use_rslora", "targets"};
  return llvm::is_contained(keys, word) || word.starts_with("rank_pattern.") ||
         word.starts_with("alpha_pattern.");
}

llvm::Error set(AdapterOptions &options, llvm::StringRef key,
                llvm::StringRef value) {
  if (key == "r") {
    if (value.getAsInteger(10, options.rank) || options.rank < 1)
      return bad(key, value, "a positive integer");
  } else if (key == "alpha") {
    if (value.getAsDouble(options.alpha) || !(options.alpha > 0) ||
        !std::isfinite(options.alpha))
      return bad(key, value, "a positive number");
  } else if (key == "dropout") {
    if (value.getAsDouble(options.dropout) ||
        !(options.dropout >= 0 && options.dropout < 1))
      return bad(key, value, "a number in [0, 1)");
  } else if (key == "use_rslora") {
    if (value != "true" && value != "false")
      return bad(key, value, "true or false");
    options.useRslora = value == "true";
  } else if (key == "targets") {
    if (value.empty())
      return bad(key, value, "a module name, all-linear or regex:...");
    options.targets = {value.str()};
  } else {
    auto [kind, module] = key.split('.');
    if (kind == "rank_pattern") {
      int64_t rank;
      if (module.empty() || value.getAsInteger(10, rank) || rank < 1)
        return bad(key, value, "a positive integer");
    } else {
      double number;
      if (module.empty() || value.getAsDouble(number) || !(number > 0) ||
          !std::isfinite(number))
        return bad(key, value, "a positive number");
    }
    (kind == "rank_pattern" ? options.rankPattern : options.alphaPattern)
        .push_back((module + "=" + value).str());
  }
  return llvm::Error::success();
}

} // namespace

llvm::Expected<AdapterOptions> AdapterOptions::parse(llvm::StringRef text) {
  AdapterOptions options;
  auto [kind, rest] = text.split(':');
  options.kind = kind.str();
  if (kind == "none" && rest.empty())
    return options;
  if (kind != "lora")
    return llvm::createStringError(
        "--adapter: '" + kind +
        "' is unknown; known: lora:r=..,alpha=..,dropout=..,targets=.., none");
  llvm::SmallVector<llvm::StringRef> words;
  if (!rest.empty())
    rest.split(words, ',');
  llvm::StringRef last;
  for (llvm::StringRef word : words) {
    auto [key, value] = word.split('=');
    if (isKey(key) && word.contains('=')) {
      last = key;
      if (llvm::Error error = set(options, key, value))
        return error;
    } else if (last == "targets") {
      // A comma inside a regex belongs to it.
      std::string &head = options.targets.front();
      if (llvm::StringRef(head).starts_with("regex:"))
        head += "," + word.str();
      else
        options.targets.push_back(word.str());
    } else {
      return llvm::createStringError(
          "--adapter: '" + word +
          "' is no option of lora; there are r, alpha, dropout, use_rslora, "
          "targets, rank_pattern.<module>, alpha_pattern.<module>");
    }
  }
  return options;
}
