//===- AdaLoraConfig.cpp - AdaLoRA's part of adapter_config.json ----------===//
#include "runtime/io/AdaLoraConfig.h"

#include "runtime/io/QuoteName.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace llamarun {
namespace {

using nlohmann::json;

// Any real rank is far below; keeps products of dimensions in range.
constexpr std::int64_t kMaxRank = 1 << 20;
// Steps stay exact as doubles.
constexpr std::int64_t kMaxSteps = std::int64_t(1) << 52;

constexpr std::string_view kFactor = ".lora_E";

std::int64_t getCount(const JsonFile &file, const char *key,
                      std::int64_t missing, std::int64_t least,
                      std::int64_t most) {
  std::int64_t value = file.getInt(key, missing);
  if (value < least || value > most)
    file.failKey(key, "must be from " + std::to_string(least) + " to " +
                          std::to_string(most));
  return value;
}

double getBeta(const JsonFile &file, const char *key, double missing) {
  double value = file.getNumber(key, missing);
  if (!(value > 0 && value < 1))
    file.failKey(key, "must lie between 0 and 1");
  return value;
}

/// "model.layers.0.self_attn.q_proj.lora_E", also as it is called while PEFT
/// trains ("....lora_E.default").
std::optional<std::string> moduleOf(std::string_view key) {
  constexpr std::string_view kName = ".default";
  if (key.ends_with(kName))
    key.remove_suffix(kName.size());
  if (!key.ends_with(kFactor) || key.size() == kFactor.size())
    return std::nullopt;
  return std::string(key.substr(0, key.size() - kFactor.size()));
}

KeptTriplets readMasks(const JsonFile &file, const json &pattern,
                       std::int64_t rank) {
  constexpr char kKey[] = "rank_pattern";
  if (!pattern.is_object())
    file.failType(kKey, "an object of lists of booleans, or null", pattern);
  KeptTriplets kept;
  for (const auto &[key, list] : pattern.items()) {
    auto module = moduleOf(key);
    if (!module)
      file.failKey(kKey, quoteName(key) + " does not end with '.lora_E'");
    if (!list.is_array() || static_cast<std::int64_t>(list.size()) != rank)
      file.failKey(kKey, quoteName(key) + " is no list of init_r = " +
                             std::to_string(rank) + " booleans");
    std::vector<bool> mask;
    for (const json &bit : list) {
      // PEFT would take integers for indices.
      if (!bit.is_boolean())
        file.failKey(kKey, quoteName(key) +
                               " holds something that is neither true nor "
                               "false");
      mask.push_back(bit.get<bool>());
    }
    if (!kept.emplace(*module, std::move(mask)).second)
      file.failKey(kKey, quoteName(*module) + " twice");
  }
  return kept;
}

} // namespace

const std::vector<bool> *AdaLoraConfig::maskOf(std::string_view module) const {
  if (!kept)
    return nullptr;
  auto found = kept->find(module);
  return found == kept->end() ? nullptr : &found->second;
}

std::int64_t AdaLoraConfig::rankOf(std::string_view module) const {
  const std::vector<bool> *mask = maskOf(module);
  return mask ? std::ranges::count(*mask, true) : initR;
}

AdaLoraConfig readAdaLora(const JsonFile &file) {
  AdaLoraConfig config;
  config.initR = getCount(file, "init_r", config.initR, 1, kMaxRank);
  config.targetR = getCount(file, "target_r", config.targetR, 0, kMaxRank);
  config.tinit = getCount(file, "tinit", config.tinit, 0, kMaxSteps);
  config.tfinal = getCount(file, "tfinal", config.tfinal, 0, kMaxSteps);
  config.deltaT = getCount(file, "deltaT", config.deltaT, 1, kMaxSteps);
  config.beta1 = getBeta(file, "beta1", config.beta1);
  config.beta2 = getBeta(file, "beta2", config.beta2);
  config.orthRegWeight = file.getNumber("orth_reg_weight", 0.5);
  if (!(config.orthRegWeight >= 0 && std::isfinite(config.orthRegWeight)))
    file.failKey("orth_reg_weight", "must not be negative");
  config.totalStep = getCount(file, "total_step", 0, 1, kMaxSteps);
  if (config.tinit >= config.totalStep - config.tfinal)
    file.failKey("total_step", "leaves no step between tinit and tfinal");
  if (const json *pattern = file.find("rank_pattern"))
    config.kept = readMasks(file, *pattern, config.initR);
  return config;
}

void addAdaLora(json &text, const AdaLoraConfig &config) {
  text["init_r"] = config.initR;
  text["target_r"] = config.targetR;
  text["tinit"] = config.tinit;
  text["tfinal"] = config.tfinal;
  text["deltaT"] = config.deltaT;
  text["beta1"] = config.beta1;
  text["beta2"] = config.beta2;
  text["orth_reg_weight"] = config.orthRegWeight;
  text["total_step"] = config.totalStep;
  // null, not {}: PEFT asks whether it is None.
  text["rank_pattern"] = nullptr;
  if (!config.kept)
    return;
  text["rank_pattern"] = json::object();
  for (const auto &[module, mask] : *config.kept)
    text["rank_pattern"][module + std::string(kFactor)] = mask;
}

} // namespace llamarun
