//===- AdaLoraState.h - Which triplets of the plan are kept ----*- C++ -*-===//
//
// The State tensor `adalora.kept` of docs/plan.md, and lora_E under it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/io/AdaLoraConfig.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace llamarun {

inline constexpr char kKeptTensor[] = "adalora.kept";

/// The mask of the last allocation: f32 [modules, r], 1 = kept, in the order of
/// Adapter.modules; all ones before the first one.
std::vector<float> readKept(Session &session);
void writeKept(Session &session, std::span<const float> kept);

/// The same by module. Nothing if no triplet is masked: PEFT's null.
std::optional<KeptTriplets> keptTriplets(const Plan &plan,
                                         std::span<const float> kept);
/// And back; modules without an entry keep all.
std::vector<float> keptValues(const Plan &plan,
                              const std::optional<KeptTriplets> &kept);

/// Triplets kept of each module.
std::vector<std::uint32_t> ranksOf(const Plan &plan,
                                   std::span<const float> kept);

/// Which elements of lora_E are not 0, as `kept` is laid out. Between two
/// allocations masked triplets grow again, since their gradient is not 0: this
/// has them, `kept` has not.
std::vector<float> nonZeroTriplets(Session &session);

/// Calls `body` with the lora_E of masked triplets at 0, and gives them back
/// their values: what is evaluated is the adapter that would be saved, and
/// training goes on as if it had not been. Does nothing else for a plan of
/// another adapter. The session must have no run under way.
void withMaskedTriplets(Session &session, const std::function<void()> &body);

} // namespace llamarun
