#include "runtime/comm/Grid.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <string_view>

namespace llamarun {

Grid::Grid(const Plan &plan) {
  auto *axes = plan.root().grid();
  for (std::uint32_t i = 0; i < sizeOf(axes); ++i) {
    sizes.push_back(axes->Get(i)->size());
    names.emplace_back(viewOf(axes->Get(i)->name()));
  }
}

Grid::Grid(std::vector<unsigned> axisSizes, std::vector<std::string> axisNames)
    : sizes(std::move(axisSizes)), names(std::move(axisNames)) {
  while (names.size() < sizes.size())
    names.push_back("axis" + std::to_string(names.size()));
}

std::size_t Grid::find(std::string_view name) const {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) -
                                  names.begin());
}

unsigned Grid::devices() const {
  unsigned count = 1;
  for (auto size : sizes)
    count *= size;
  return count;
}

std::vector<unsigned> Grid::coordinates(unsigned rank) const {
  if (rank >= devices())
    fail(ExitCode::BadInput, "rank ", rank, " of a grid of ", devices(),
         " devices");
  std::vector<unsigned> result(sizes.size());
  for (std::size_t i = sizes.size(); i-- > 0; rank /= sizes[i])
    result[i] = rank % sizes[i];
  return result;
}

std::vector<unsigned> Grid::group(unsigned rank,
                                  std::span<const std::uint8_t> axes) const {
  auto mine = coordinates(rank);
  std::vector<unsigned> ranks;
  for (unsigned other = 0; other < devices(); ++other) {
    auto theirs = coordinates(other);
    bool same = true;
    for (std::size_t i = 0; same && i < sizes.size(); ++i)
      same = theirs[i] == mine[i] ||
             std::find(axes.begin(), axes.end(), i) != axes.end();
    if (same)
      ranks.push_back(other);
  }
  return ranks;
}

unsigned Grid::part(unsigned rank, std::span<const std::uint8_t> axes) const {
  auto mine = coordinates(rank);
  unsigned result = 0;
  for (auto axis : axes)
    result = result * sizes[axis] + mine[axis];
  return result;
}

} // namespace llamarun
