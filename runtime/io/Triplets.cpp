//===- Triplets.cpp - AdaLoRA factors less masked rows --------------------===//
#include "runtime/io/Triplets.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace llamarun {

std::optional<TripletFactor> tripletFactorOf(std::string_view name) {
  constexpr std::string_view kBegin = ".lora_";
  if (name.size() <= kBegin.size() + 1)
    return std::nullopt;
  char letter = name.back();
  std::string_view module = name.substr(0, name.size() - 1);
  if ((letter != 'A' && letter != 'E' && letter != 'B') ||
      !module.ends_with(kBegin))
    return std::nullopt;
  module.remove_suffix(kBegin.size());
  return TripletFactor{module, letter};
}

void removeMasked(AdapterTensors &tensors, const KeptTriplets &kept) {
  for (auto &[name, tensor] : tensors) {
    auto factor = tripletFactorOf(name);
    if (!factor)
      continue;
    auto found = kept.find(factor->module);
    if (found == kept.end())
      continue;
    const std::vector<bool> &mask = found->second;
    std::size_t along = factor->dimension();
    if (tensor.shape.size() != 2 || tensor.shape[along] != mask.size())
      fail(ExitCode::BadInput, "tensor ", quoteName(name), " has shape ",
           toString(tensor.shape), ", its mask ", mask.size(), " triplets");
    std::vector<float> left;
    for (std::size_t row = 0; row < tensor.shape[0]; ++row)
      for (std::size_t column = 0; column < tensor.shape[1]; ++column)
        if (mask[along == 0 ? row : column])
          left.push_back(tensor.data[row * tensor.shape[1] + column]);
    tensor.shape[along] =
        static_cast<std::uint64_t>(std::ranges::count(mask, true));
    tensor.data = std::move(left);
  }
}

} // namespace llamarun
