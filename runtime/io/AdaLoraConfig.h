//===- AdaLoraConfig.h - AdaLoRA's part of adapter_config.json --*- C++ -*-===//
//
// Source: peft/tuners/adalora/config.py and model.py.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/io/JsonFile.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// By module ("model.layers.0.self_attn.q_proj"): which of its init_r triplets
/// are kept. A module without an entry keeps all.
using KeptTriplets = std::map<std::string, std::vector<bool>, std::less<>>;

/// Counts are optimizer steps. Defaults are PEFT's.
struct AdaLoraConfig {
  std::int64_t initR = 12, targetR = 8;
  std::int64_t tinit = 0, tfinal = 0, deltaT = 1;
  double beta1 = 0.85, beta2 = 0.85, orthRegWeight = 0.5;
  std::int64_t totalStep = 0;
  /// rank_pattern; nothing (null) if no triplet was ever masked: the tensors
  /// are of full size then, otherwise without the masked rows.
  std::optional<KeptTriplets> kept;

  /// Triplets that the files hold of `module`.
  std::int64_t rankOf(std::string_view module) const;
  /// The mask of `module`, null if it keeps all.
  const std::vector<bool> *maskOf(std::string_view module) const;
};

/// Reads the keys of a config whose peft_type is ADALORA.
/// \throws Error(BadInput) naming file and key: what PEFT refuses (no
///   total_step, a schedule without a step between tinit and tfinal), and masks
///   that are not init_r booleans.
AdaLoraConfig readAdaLora(const JsonFile &file);

/// Puts the keys into the text of a config; rank_pattern replaces LoRA's.
void addAdaLora(nlohmann::json &text, const AdaLoraConfig &config);

} // namespace llamarun
