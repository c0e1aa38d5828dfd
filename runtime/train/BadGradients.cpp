#include "runtime/train/BadGradients.h"

#include "runtime/train/Elements.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

namespace llamarun {
namespace {

/// Tensors of the role that are not finite on some rank, by their place in the
/// plan.
std::set<std::uint32_t> badTensors(Session &session, const Ranks &ranks,
                                   fb::Role role) {
  const Plan &plan = session.plan();
  std::string mine;
  for (std::uint32_t i = 0; i < plan.tensorCount(); ++i) {
    auto &tensor = plan.tensor(i);
    if (tensor.role() != role)
      continue;
    auto dtype = toFileDType(plan.buffer(tensor.buffer()).dtype());
    std::vector<std::byte> bytes(plan.bytes(tensor.buffer()));
    std::vector<float> values(plan.elements(tensor.buffer()));
    session.readTensor(role, viewOf(tensor.name()), bytes);
    toFloat(dtype, bytes, values);
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      mine.append(reinterpret_cast<const char *>(&i), sizeof(i));
  }
  std::set<std::uint32_t> bad;
  for (auto &their : ranks.gather(mine))
    for (std::size_t at = 0; at + sizeof(std::uint32_t) <= their.size();
         at += sizeof(std::uint32_t)) {
      std::uint32_t i;
      std::memcpy(&i, their.data() + at, sizeof(i));
      if (i < plan.tensorCount())
        bad.insert(i);
    }
  return bad;
}

} // namespace

std::string namesOfBadGradients(Session &session, const Ranks &ranks) {
  auto bad = badTensors(session, ranks, fb::Role::Gradient);
  if (bad.empty())
    return "";
  auto name = viewOf(session.plan().tensor(*bad.begin()).name());
  auto others = bad.size() - 1;
  return "; the gradient of '" + std::string(name) + "' is not finite" +
         (others ? ", nor are " + std::to_string(others) + " others" : "");
}

bool parametersAreFinite(Session &session, const Ranks &ranks) {
  return badTensors(session, ranks, fb::Role::Parameter).empty();
}

} // namespace llamarun
