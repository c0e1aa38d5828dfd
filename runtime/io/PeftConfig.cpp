//===- PeftConfig.cpp - adapter_config.json of PEFT -----------------------===//
#include "runtime/io/PeftConfig.h"

#include "runtime/io/JsonFile.h"
#include "runtime/io/ModulePattern.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <cmath>

namespace llamarun {
namespace {

using nlohmann::json;

// Any real rank is far below; keeps products of dimensions in range.
constexpr int64_t kMaxRank = 1 << 20;

// One for every linear of a thousand layers; bounds the time of a lookup.
constexpr size_t kMaxPatterns = 7000;

// Features that add to or change the computation. Null, false and empty mean
// "not used", for every one of them.
constexpr const char *kUnsupported[] = {
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
};

bool isUnused(const json &value) {
  return value.is_null() || value == false ||
         (value.is_structured() && value.empty());
}

// These leave the base weights alone. The others (pissa, olora, corda, loftq,
// lora_ga, ...) subtract the initial adapter from them when PEFT loads the
// adapter, so with plain base weights the result would differ.
bool keepsBaseWeights(const json &init) {
  return init.is_boolean() || init == "gaussian" || init == "eva" ||
         init == "orthogonal";
}

void refuseUnsupported(const JsonFile &file) {
  for (const char *key : kUnsupported)
    if (const json *value = file.find(key); value && !isUnused(*value))
      file.failKey(key, "this feature is not supported");
  if (std::string bias = file.getString("bias", "none"); bias != "none")
    file.failKey("bias", "only 'none' is supported, found " + quoteName(bias));
  if (const json *init = file.find("init_lora_weights")) {
    if (!init->is_boolean() && !init->is_string())
      file.failType("init_lora_weights", "true, false or a string", *init);
    if (!keepsBaseWeights(*init))
      file.failKey("init_lora_weights",
                   "adapters that change the base weights are not supported, "
                   "found " +
                       quoteName(init->get<std::string>()));
  }
}

int64_t checkRank(const JsonFile &file, const std::string &key, double value) {
  if (!(value >= 1 && value <= kMaxRank) || value != std::floor(value))
    file.failKey(key, "rank must be a whole number from 1 to " +
                          std::to_string(kMaxRank));
  return static_cast<int64_t>(value);
}

// Patterns are compiled once here so that a bad one is reported with its file.
template <typename T>
void checkPatterns(const JsonFile &file, const std::string &key,
                   const std::map<std::string, T> &patterns) {
  if (patterns.size() > kMaxPatterns)
    file.failKey(key, "more than " + std::to_string(kMaxPatterns) + " entries");
  for (const auto &[pattern, value] : patterns) {
    try {
      ModulePattern::forKey(pattern);
    } catch (const Error &error) {
      file.failKey(key, error.what());
    }
  }
}

// The first key that matches, in the order of the file as PEFT writes it
// (sorted).
template <typename T>
const T *lookUp(const std::map<std::string, T> &patterns,
                std::string_view module) {
  for (const auto &[key, value] : patterns)
    if (ModulePattern::forKey(key).matches(module))
      return &value;
  return nullptr;
}

// 16 rather than 16.0, as Python writes an int.
json number(double value) {
  if (value == std::floor(value) && std::abs(value) < 0x1p53)
    return static_cast<int64_t>(value);
  return value;
}

} // namespace

int64_t PeftConfig::rankOf(std::string_view module) const {
  if (isAdaLora())
    return adalora.rankOf(module);
  const int64_t *rank = lookUp(rankPattern, module);
  return rank ? *rank : r;
}

double PeftConfig::scalingOf(std::string_view module) const {
  if (isAdaLora()) {
    auto initial = static_cast<double>(adalora.initR);
    return (alpha > 0 ? alpha : initial) / (initial + 1e-5);
  }
  const double *found = lookUp(alphaPattern, module);
  auto rank = static_cast<double>(rankOf(module));
  return (found ? *found : alpha) / (useRslora ? std::sqrt(rank) : rank);
}

PeftConfig readPeftConfig(const std::filesystem::path &path) {
  JsonFile file = JsonFile::open(path);
  std::string type = file.getString("peft_type", "");
  if (type.empty())
    file.failKey("peft_type", "missing");
  if (type != "LORA" && type != "ADALORA")
    file.failKey("peft_type",
                 "only 'LORA' and 'ADALORA' are supported, found " +
                     quoteName(type));
  refuseUnsupported(file);

  PeftConfig config;
  if (type == "ADALORA") {
    config.peftType = PeftType::AdaLora;
    config.adalora = readAdaLora(file);
  }
  config.taskType = file.getString("task_type", "");
  config.baseModel = file.getString("base_model_name_or_path", "");
  if (file.find("r"))
    config.r =
        checkRank(file, "r", static_cast<double>(file.getInt("r", config.r)));
  config.alpha = file.getNumber("lora_alpha", config.alpha);
  config.dropout = file.getNumber("lora_dropout", config.dropout);
  if (!(config.dropout >= 0 && config.dropout <= 1))
    file.failKey("lora_dropout", "must be from 0 to 1");
  config.useRslora = file.getBool("use_rslora", config.useRslora);
  if (const json *targets = file.find("target_modules")) {
    if (targets->is_string())
      config.targetModules = targets->get<std::string>();
    else if (targets->is_array())
      config.targetModules = file.getStrings("target_modules");
    else
      file.failType("target_modules", "a list of strings or a string",
                    *targets);
  }
  config.modulesToSave = file.getStrings("modules_to_save");
  if (config.isAdaLora()) // its rank_pattern is another thing
    return config;
  for (const auto &[key, rank] : file.getNumberMap("rank_pattern"))
    config.rankPattern.emplace(key, checkRank(file, "rank_pattern", rank));
  config.alphaPattern = file.getNumberMap("alpha_pattern");
  checkPatterns(file, "rank_pattern", config.rankPattern);
  checkPatterns(file, "alpha_pattern", config.alphaPattern);
  return config;
}

std::string toJson(const PeftConfig &config) {
  json text = {
      {"alpha_pattern", json::object()},
      {"base_model_name_or_path", nullptr},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"lora_alpha", number(config.alpha)},
      {"lora_dropout", config.dropout},
      {"modules_to_save", nullptr},
      {"peft_type", "LORA"},
      {"r", config.r},
      {"rank_pattern", config.rankPattern},
      {"task_type", nullptr},
      {"use_rslora", config.useRslora},
  };
  for (const auto &[key, alpha] : config.alphaPattern)
    text["alpha_pattern"][key] = number(alpha);
  if (!config.baseModel.empty())
    text["base_model_name_or_path"] = config.baseModel;
  if (!config.taskType.empty())
    text["task_type"] = config.taskType;
  if (!config.modulesToSave.empty())
    text["modules_to_save"] = config.modulesToSave;
  if (const auto *regex = std::get_if<std::string>(&config.targetModules))
    text["target_modules"] = *regex;
  else
    text["target_modules"] =
        std::get<std::vector<std::string>>(config.targetModules);
  if (config.isAdaLora()) {
    text["peft_type"] = "ADALORA";
    addAdaLora(text, config.adalora);
  }
  // ASCII only, and no exception for a path that is not UTF-8.
  return text.dump(2, ' ', true, json::error_handler_t::replace);
}

} // namespace llamarun
