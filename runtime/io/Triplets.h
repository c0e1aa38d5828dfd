//===- Triplets.h - AdaLoRA factors less masked rows -*- C++ -*-===//
#pragma once

#include "runtime/io/AdaLoraConfig.h"
#include "runtime/io/PeftAdapter.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace llamarun {

/// A factor of an AdaLoRA adapter, by its name:
///   <module>.lora_A [r, in]   <module>.lora_E [r, 1]   <module>.lora_B [out,
///   r]
struct TripletFactor {
  std::string_view module; ///< into the name
  char letter = 'A';       ///< A, E or B
  /// The dimension that runs over triplets.
  std::size_t dimension() const { return letter == 'B' ? 1 : 0; }
};
/// Nothing for other tensors: the head, LoRA's factors.
std::optional<TripletFactor> tripletFactorOf(std::string_view name);

/// Takes the rows (lora_B: columns) of masked triplets out of all factors, as
/// PEFT does when it saves. A matrix may keep none: [0, in], [0, 1], [out, 0].
/// \throws Error(BadInput) naming the tensor if a mask does not have its
///   length.
void removeMasked(AdapterTensors &tensors, const KeptTriplets &kept);

} // namespace llamarun
