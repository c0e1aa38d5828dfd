//===- AdapterOptions.cpp - The text of --adapter -------------------------===//
#include "compiler/options/CompilerOptions.h"

#include "passes/adapters/TargetMatcher.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

#include <cmath>

using namespace llamac;

namespace {

llvm::Error bad(llvm::StringRef key, llvm::StringRef value,
                llvm::StringRef wanted) {
  return llvm::createStringError("--adapter: " + key + "='" + value +
                                 "' is not " + wanted);
}

constexpr llvm::StringLiteral kLoraKeys[] = {"r", "alpha", "dropout",
                                             "use_rslora", "targets"};
constexpr llvm::StringLiteral kAdaLoraKeys[] = {
    "init_r",     "target_r", "tinit",   "tfinal",
    "deltaT",     "beta1",    "beta2",   "alpha",
    "total_step", "dropout",  "targets", "orth_reg_weight"};
/// Of both; with AdaLoRA ranks fall from init_r, so that there is one rule.
constexpr llvm::StringLiteral kPlacementKeys[] = {"placement", "budget",
                                                  "statistic", "rule", "max_r"};

bool isKey(llvm::StringRef kind, llvm::StringRef word) {
  if (llvm::is_contained(kPlacementKeys, word))
    return true;
  if (kind == "adalora")
    return llvm::is_contained(kAdaLoraKeys, word);
  return llvm::is_contained(kLoraKeys, word) ||
         word.starts_with("rank_pattern.") ||
         word.starts_with("alpha_pattern.");
}

llvm::Error setInteger(int64_t &to, int64_t least, llvm::StringRef key,
                       llvm::StringRef value) {
  int64_t number = 0;
  if (value.getAsInteger(10, number) || number < least)
    return bad(key, value,
               least ? "a positive integer" : "an integer of at least 0");
  to = number;
  return llvm::Error::success();
}

/// A number in (low, high).
llvm::Error setNumber(double &to, double high, llvm::StringRef key,
                      llvm::StringRef value, llvm::StringRef wanted) {
  double number = 0;
  if (value.getAsDouble(number) || !(number > 0) || !(number < high))
    return bad(key, value, wanted);
  to = number;
  return llvm::Error::success();
}

llvm::Error setPattern(AdapterOptions &options, llvm::StringRef key,
                       llvm::StringRef value) {
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
  return llvm::Error::success();
}

llvm::Error setPlacement(AdapterOptions::Placement &placement,
                         llvm::StringRef key, llvm::StringRef value) {
  if (key == "max_r")
    return setInteger(placement.maxRank, 1, key, value);
  if (key == "budget") {
    if (llvm::Error error =
            setNumber(placement.budget, INFINITY, key, value,
                      "a share of the parameters up to 1 or a sum of ranks"))
      return error;
    if (placement.budget > 1 &&
        placement.budget != std::floor(placement.budget))
      return bad(key, value, "an integer, as a sum of ranks above 1 is");
    return llvm::Error::success();
  }
  if (key == "rule") {
    if (value != "top" && value != "proportional")
      return bad(key, value, "top or proportional");
    placement.rule = value.str();
  } else if (key == "statistic") {
    if (!value.contains('.'))
      return bad(key, value, "part.name, as weight_gradient.norm");
    placement.statistic = value.str();
  } else {
    if (value.empty())
      return bad(key, value, "a file of llamarun probe");
    placement.file = value.str();
  }
  return llvm::Error::success();
}

llvm::Error set(AdapterOptions &options, llvm::StringRef key,
                llvm::StringRef value) {
  if (llvm::is_contained(kPlacementKeys, key))
    return setPlacement(options.placement, key, value);
  AdapterOptions::AdaLora &ada = options.adalora;
  if (key == "r")
    return setInteger(options.rank, 1, key, value);
  if (key == "init_r")
    return setInteger(ada.initR, 1, key, value);
  if (key == "target_r")
    return setInteger(ada.targetR, 1, key, value);
  if (key == "tinit")
    return setInteger(ada.tinit, 0, key, value);
  if (key == "tfinal")
    return setInteger(ada.tfinal, 0, key, value);
  if (key == "deltaT")
    return setInteger(ada.deltaT, 1, key, value);
  if (key == "total_step")
    return setInteger(ada.totalStep, 0, key, value);
  if (key == "beta1" || key == "beta2")
    return setNumber(key == "beta1" ? ada.beta1 : ada.beta2, 1, key, value,
                     "a number in (0, 1)");
  if (key == "orth_reg_weight") {
    if (value.getAsDouble(ada.orthRegWeight) || !(ada.orthRegWeight >= 0) ||
        !std::isfinite(ada.orthRegWeight))
      return bad(key, value, "a number of at least 0");
    return llvm::Error::success();
  }
  if (key == "alpha")
    return setNumber(options.alpha, INFINITY, key, value, "a positive number");
  if (key == "dropout") {
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
    return setPattern(options, key, value);
  }
  return llvm::Error::success();
}

/// What only makes sense together; PEFT's checks (tuners/adalora/config.py).
llvm::Error checkBudget(const AdapterOptions::AdaLora &ada) {
  if (ada.targetR > ada.initR)
    return llvm::createStringError(
        "--adapter: target_r=" + llvm::Twine(ada.targetR) +
        " is above init_r=" + llvm::Twine(ada.initR) + ": ranks only fall");
  if (ada.totalStep > 0 && ada.tinit >= ada.totalStep - ada.tfinal)
    return llvm::createStringError(
        "--adapter: tinit=" + llvm::Twine(ada.tinit) +
        " leaves no step for allocation: it must be below total_step=" +
        llvm::Twine(ada.totalStep) + " less tfinal=" + llvm::Twine(ada.tfinal));
  return llvm::Error::success();
}

/// What a placement goes with.
llvm::Error checkPlacement(const AdapterOptions &options,
                           llvm::ArrayRef<llvm::StringRef> keys) {
  const AdapterOptions::Placement &placement = options.placement;
  if (placement.file.empty()) {
    for (llvm::StringRef key : keys)
      if (llvm::is_contained(kPlacementKeys, key))
        return llvm::createStringError("--adapter: " + key +
                                       " is of a placement=probe.json, which "
                                       "is not there");
    return llvm::Error::success();
  }
  if (!options.rankPattern.empty() || !options.alphaPattern.empty())
    return llvm::createStringError(
        "--adapter: placement says the ranks: no rank_pattern or "
        "alpha_pattern beside it");
  if (options.kind == "adalora" && placement.rule != "top")
    return llvm::createStringError("--adapter: AdaLoRA begins with one rank: "
                                   "rule=top is its only one");
  if (placement.maxRank && placement.rule == "top")
    return llvm::createStringError(
        "--adapter: max_r is of rule=proportional: with rule=top ranks are r");
  return llvm::Error::success();
}

/// Whether regular expressions are some, before a pass finds that they are not.
llvm::Error checkExpressions(const AdapterOptions &options) {
  auto asAdapter = [](llvm::Error error) {
    return llvm::createStringError("--adapter: " +
                                   llvm::toString(std::move(error)));
  };
  if (auto targets = TargetMatcher::create(options.targets); !targets)
    return asAdapter(targets.takeError());
  for (auto *pattern : {&options.rankPattern, &options.alphaPattern})
    if (auto numbers = NumberPattern::create(*pattern); !numbers)
      return asAdapter(numbers.takeError());
  return llvm::Error::success();
}

} // namespace

llvm::Expected<AdapterOptions> AdapterOptions::parse(llvm::StringRef text) {
  AdapterOptions options;
  auto [kind, rest] = text.split(':');
  options.kind = kind.str();
  if (kind == "none" && rest.empty())
    return options;
  if (kind != "lora" && kind != "adalora")
    return llvm::createStringError(
        "--adapter: '" + kind +
        "' is unknown; known: lora:r=..,alpha=..,dropout=..,targets=.., "
        "adalora:init_r=..,target_r=..,targets=.., none");
  llvm::SmallVector<llvm::StringRef> words;
  if (!rest.empty())
    rest.split(words, ',');
  llvm::StringRef last;
  llvm::SmallVector<llvm::StringRef> keys;
  for (llvm::StringRef word : words) {
    auto [key, value] = word.split('=');
    if (isKey(kind, key) && word.contains('=')) {
      last = key;
      keys.push_back(key);
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
          "--adapter: '" + word + "' is no option of " + kind + "; there are " +
          (kind == "adalora" ? llvm::join(llvm::ArrayRef(kAdaLoraKeys), ", ")
                             : llvm::join(llvm::ArrayRef(kLoraKeys), ", ") +
                                   ", rank_pattern.<module>, "
                                   "alpha_pattern.<module>") +
          ", " + llvm::join(llvm::ArrayRef(kPlacementKeys), ", "));
    }
  }
  if (kind == "adalora")
    if (llvm::Error error = checkBudget(options.adalora))
      return error;
  if (llvm::Error error = checkPlacement(options, keys))
    return error;
  if (llvm::Error error = checkExpressions(options))
    return error;
  return options;
}
