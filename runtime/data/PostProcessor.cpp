#include "runtime/data/PostProcessor.h"

#include <algorithm>
#include <utility>

namespace llamarun {

size_t PostProcessor::addedTokens(const std::vector<Element> &elements) {
  size_t added = 0;
  for (const Element &element : elements)
    added += element.ids.size();
  return added;
}

static std::vector<int32_t>
applyTemplate(const std::vector<PostProcessor::Element> &elements,
              std::span<const int32_t> a, std::span<const int32_t> b) {
  using Kind = PostProcessor::Element::Kind;
  std::vector<int32_t> ids;
  ids.reserve(a.size() + b.size() + PostProcessor::addedTokens(elements));
  for (const auto &element : elements) {
    std::span<const int32_t> part = element.kind == Kind::A   ? a
                                    : element.kind == Kind::B ? b
                                                              : element.ids;
    ids.insert(ids.end(), part.begin(), part.end());
  }
  return ids;
}

std::vector<int32_t>
PostProcessor::applySingle(std::span<const int32_t> a) const {
  return applyTemplate(single, a, {});
}

std::vector<int32_t>
PostProcessor::applyPair(std::span<const int32_t> a,
                         std::span<const int32_t> b) const {
  return applyTemplate(pair, a, b);
}

void truncateLongestFirst(std::vector<int32_t> &a, std::vector<int32_t> &b,
                          size_t budget) {
  if (a.size() + b.size() <= budget)
    return;
  size_t shorter = a.size(), longer = b.size();
  bool swapped = shorter > longer;
  if (swapped)
    std::swap(shorter, longer);
  longer = shorter > budget ? shorter : std::max(shorter, budget - shorter);
  if (shorter + longer > budget) {
    shorter = budget / 2;
    longer = shorter + budget % 2;
  }
  if (swapped)
    std::swap(shorter, longer);
  a.resize(std::min(a.size(), shorter));
  b.resize(std::min(b.size(), longer));
}

} // namespace llamarun
