#include "runtime/train/AdaLoraState.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <string>
#include <utility>

namespace llamarun {
namespace {

std::uint64_t moduleCount(const Plan &plan) {
  return sizeOf(plan.adapter().modules());
}

std::string factorE(const Plan &plan, std::uint64_t module) {
  return std::string(viewOf(plan.adapter().modules()->Get(
             static_cast<flatbuffers::uoffset_t>(module)))) +
         ".lora_E";
}

/// lora_E is whole on every rank, float32.
std::vector<float> readE(Session &session, const std::string &name) {
  std::vector<float> values(session.plan().adapter().rank());
  session.readTensor(fb::Role::Parameter, name,
                     std::as_writable_bytes(std::span(values)));
  return values;
}

void writeE(Session &session, const std::string &name,
            std::span<const float> values) {
  session.writeTensor(fb::Role::Parameter, name, std::as_bytes(values));
}

} // namespace

std::vector<float> readKept(Session &session) {
  const Plan &plan = session.plan();
  std::vector<float> kept(moduleCount(plan) * plan.adapter().rank());
  session.readTensor(fb::Role::State, kKeptTensor,
                     std::as_writable_bytes(std::span(kept)));
  return kept;
}

void writeKept(Session &session, std::span<const float> kept) {
  session.writeTensor(fb::Role::State, kKeptTensor, std::as_bytes(kept));
}

std::optional<KeptTriplets> keptTriplets(const Plan &plan,
                                         std::span<const float> kept) {
  if (std::ranges::all_of(kept, [](float bit) { return bit != 0; }))
    return std::nullopt;
  KeptTriplets triplets;
  auto rank = plan.adapter().rank();
  for (std::uint64_t j = 0; j < moduleCount(plan); ++j) {
    auto &mask = triplets[std::string(
        viewOf(plan.adapter().modules()->Get(static_cast<unsigned>(j))))];
    for (float bit : kept.subspan(j * rank, rank))
      mask.push_back(bit != 0);
  }
  return triplets;
}

std::vector<float> keptValues(const Plan &plan,
                              const std::optional<KeptTriplets> &kept) {
  auto rank = plan.adapter().rank();
  std::vector<float> values(moduleCount(plan) * rank, 1);
  if (!kept)
    return values;
  for (std::uint64_t j = 0; j < moduleCount(plan); ++j) {
    auto found = kept->find(
        viewOf(plan.adapter().modules()->Get(static_cast<unsigned>(j))));
    if (found == kept->end())
      continue;
    if (found->second.size() != rank)
      fail(ExitCode::BadInput, "mask of ", quoteName(found->first), " has ",
           found->second.size(), " triplets, the plan's rank is ", rank);
    for (std::uint32_t i = 0; i < rank; ++i)
      values[j * rank + i] = found->second[i] ? 1 : 0;
  }
  return values;
}

std::vector<std::uint32_t> ranksOf(const Plan &plan,
                                   std::span<const float> kept) {
  auto rank = plan.adapter().rank();
  std::vector<std::uint32_t> ranks;
  for (std::uint64_t j = 0; j < moduleCount(plan); ++j)
    ranks.push_back(static_cast<std::uint32_t>(std::ranges::count_if(
        kept.subspan(j * rank, rank), [](float bit) { return bit != 0; })));
  return ranks;
}

std::vector<float> nonZeroTriplets(Session &session) {
  std::vector<float> bits;
  for (std::uint64_t j = 0; j < moduleCount(session.plan()); ++j)
    for (float value : readE(session, factorE(session.plan(), j)))
      bits.push_back(value != 0 ? 1 : 0);
  return bits;
}

void withMaskedTriplets(Session &session, const std::function<void()> &body) {
  const Plan &plan = session.plan();
  std::vector<std::pair<std::string, std::vector<float>>> saved;
  if (plan.adapter().adalora() &&
      plan.findTensor(fb::Role::State, kKeptTensor)) {
    auto kept = readKept(session);
    auto rank = plan.adapter().rank();
    for (std::uint64_t j = 0; j < moduleCount(plan); ++j) {
      auto name = factorE(plan, j);
      auto values = readE(session, name), masked = values;
      for (std::uint32_t i = 0; i < rank; ++i)
        if (kept[j * rank + i] == 0)
          masked[i] = 0;
      if (masked == values)
        continue;
      writeE(session, name, masked);
      saved.emplace_back(std::move(name), std::move(values));
    }
  }
  // Also after an error: a caller may go on without the evaluation.
  auto restore = [&] {
    for (auto &[name, values] : saved)
      writeE(session, name, values);
  };
  try {
    body();
  } catch (...) {
    restore();
    throw;
  }
  restore();
}

} // namespace llamarun
