//===- PeftConfig.h - adapter_config.json of PEFT --------------*- C++ -*-===//
//
// Source: peft/tuners/lora/config.py and peft/config.py; AdaLoRA's keys are in
// AdaLoraConfig.h.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/io/AdaLoraConfig.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace llamarun {

/// Name of the config in an adapter directory.
inline constexpr char kAdapterConfigFile[] = "adapter_config.json";

/// The methods that can be read and written.
enum class PeftType { Lora, AdaLora };

/// What of adapter_config.json bears on the result. Defaults are PEFT's.
struct PeftConfig {
  PeftType peftType = PeftType::Lora;
  /// "SEQ_CLS", "CAUSAL_LM", ...; empty for null.
  std::string taskType;
  /// base_model_name_or_path; empty for null.
  std::string baseModel;
  int64_t r = 8; ///< AdaLoRA does not use it
  double alpha = 8;
  double dropout = 0;
  bool useRslora = false;
  /// A list of module names (exact path, or suffix after a dot), or one string:
  /// a full-match regular expression or "all-linear".
  std::variant<std::vector<std::string>, std::string> targetModules =
      std::vector<std::string>{"q_proj", "v_proj"};
  /// Modules trained whole, by name: {"classifier", "score"} for SEQ_CLS.
  std::vector<std::string> modulesToSave;
  /// Exceptions to r and alpha: module name or regular expression to value.
  std::map<std::string, int64_t> rankPattern;
  std::map<std::string, double> alphaPattern;
  /// Of AdaLoRA, for which useRslora and the patterns above mean nothing.
  AdaLoraConfig adalora;

  bool isAdaLora() const { return peftType == PeftType::AdaLora; }

  /// Rank of the adapter on `module` ("model.layers.0.self_attn.q_proj"), by
  /// the first key of rankPattern that matches, else r. AdaLoRA: the triplets
  /// it keeps.
  int64_t rankOf(std::string_view module) const;

  /// s in y = Wx + s*BAx: alpha / rank, or alpha / sqrt(rank) with useRslora.
  /// AdaLoRA: s in s*B(E(Ax)), alpha (init_r if that is not positive) /
  /// (init_r + 1e-5), whatever is kept.
  double scalingOf(std::string_view module) const;
};

/// Reads a config. Unknown keys are ignored, missing ones have PEFT's defaults;
/// only peft_type is required.
/// \throws Error(BadInput) naming file and key: wrong type, value out of range,
///   a method other than LORA and ADALORA, or a feature that would change the
///   result and is not implemented (DoRA, biases, layer replication, PiSSA,
///   ...).
PeftConfig readPeftConfig(const std::filesystem::path &path);

/// The text of adapter_config.json: the keys that every PEFT version knows,
/// sorted, indented by 2, inference_mode true.
std::string toJson(const PeftConfig &config);

} // namespace llamarun
