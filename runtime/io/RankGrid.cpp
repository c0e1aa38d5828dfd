#include "runtime/io/RankGrid.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

namespace llamarun {
namespace {

constexpr std::string_view kOrder[] = {"q_proj",   "k_proj",    "v_proj",
                                       "o_proj",   "gate_proj", "up_proj",
                                       "down_proj"};
// A name in a file must not make a table of 2^32 rows.
constexpr std::uint32_t kMostLayers = 4096;

std::size_t placeOf(const std::string &column) {
  return static_cast<std::size_t>(
      std::ranges::find(kOrder, std::string_view(column)) - kOrder);
}

/// The number among a module's components, and its last component.
std::optional<std::pair<std::uint32_t, std::string>>
place(std::string_view module) {
  std::size_t last = module.rfind('.');
  if (last == module.npos)
    return std::nullopt;
  std::string column(module.substr(last + 1));
  for (std::size_t at = 0; at < last;) {
    std::size_t end = module.find('.', at);
    std::string_view part = module.substr(at, end - at);
    std::uint32_t layer = 0;
    auto [rest, error] =
        std::from_chars(part.data(), part.data() + part.size(), layer);
    if (error == std::errc() && rest == part.data() + part.size() &&
        layer < kMostLayers)
      return std::pair{layer, column};
    at = end + 1;
  }
  return std::nullopt;
}

} // namespace

RankGrid
RankGrid::of(const std::vector<std::pair<std::string, std::uint32_t>> &ranks) {
  RankGrid grid;
  std::map<std::pair<std::size_t, std::string>, std::size_t> columns;
  std::uint32_t layers = 0;
  for (auto &[module, rank] : ranks) {
    if (auto at = place(module)) {
      columns[{placeOf(at->second), at->second}] = 0;
      layers = std::max(layers, at->first + 1);
    } else {
      grid.others.emplace_back(module, rank);
    }
  }
  std::ranges::sort(grid.others);
  for (auto &[key, index] : columns) {
    index = grid.columns.size();
    grid.columns.push_back(key.second);
  }
  grid.rows.assign(
      layers, std::vector<std::optional<std::uint32_t>>(grid.columns.size()));
  for (auto &[module, rank] : ranks)
    if (auto at = place(module)) {
      // Two modules of a layer with one name (experts): the sum of their ranks.
      auto &cell =
          grid.rows[at->first][columns[{placeOf(at->second), at->second}]];
      cell = cell.value_or(0) + rank;
    }
  return grid;
}

std::uint64_t RankGrid::total() const {
  std::uint64_t sum = 0;
  for (auto &row : rows)
    for (auto &cell : row)
      sum += cell.value_or(0);
  for (auto &[module, rank] : others)
    sum += rank;
  return sum;
}

std::uint64_t RankGrid::matrices() const {
  std::uint64_t count = others.size();
  for (auto &row : rows)
    count += static_cast<std::uint64_t>(std::ranges::count_if(
        row, [](auto &cell) { return cell.has_value(); }));
  return count;
}

std::uint32_t RankGrid::largest() const {
  std::uint32_t most = 0;
  for (auto &row : rows)
    for (auto &cell : row)
      most = std::max(most, cell.value_or(0));
  for (auto &[module, rank] : others)
    most = std::max(most, rank);
  return most;
}

std::string RankGrid::json() const {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (std::size_t c = 0; c < columns.size(); ++c) {
    auto &list = object[columns[c]] = nlohmann::ordered_json::array();
    for (auto &row : rows)
      if (row[c])
        list.push_back(*row[c]);
      else
        list.push_back(nullptr);
  }
  for (auto &[module, rank] : others)
    object[module] = rank;
  return object.dump(-1, ' ', true,
                     nlohmann::ordered_json::error_handler_t::replace);
}

std::vector<std::pair<std::string, std::uint32_t>>
ranksOf(const MappedAdapter &adapter) {
  std::vector<std::pair<std::string, std::uint32_t>> ranks;
  std::string_view ending =
      adapter.config.isAdaLora() ? ".lora_A" : ".lora_A.weight";
  for (auto &[name, view] : adapter.weights.tensors)
    if (name.ends_with(ending))
      ranks.emplace_back(name.substr(0, name.size() - ending.size()),
                         static_cast<std::uint32_t>(view.shape.at(0)));
  return ranks;
}

} // namespace llamarun
