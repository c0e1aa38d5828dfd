#include "runtime/report/RankTable.h"

#include "runtime/report/Html.h"

#include <algorithm>
#include <optional>

namespace llamarun {

using Json = nlohmann::ordered_json;

static std::optional<double> rankOf(const Json &value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// One cell; nothing is not adapted.
static std::string heatCell(std::optional<double> rank, double most) {
  if (!rank)
    return "<td></td>";
  int shade = most > 0 ? static_cast<int>(7 * *rank / most) : 0;
  return "<td class=\"h" + std::to_string(std::clamp(shade, 0, 7)) + "\">" +
         shortNumber(*rank) + "</td>";
}

std::string rankTable(const Json &ranks) {
  double most = 0;
  std::size_t layers = 0;
  for (auto &[column, values] : ranks.items()) {
    if (values.is_array())
      layers = std::max(layers, values.size());
    for (auto &value : values.is_array() ? values : Json::array({values}))
      most = std::max(most, rankOf(value).value_or(0));
  }
  std::string out = "<div class=\"scroll\"><table class=\"heat\">\n<tr><th>"
                    "layer</th>";
  for (auto &[column, values] : ranks.items())
    if (values.is_array())
      out += "<th>" +
             htmlText(column.ends_with("_proj")
                          ? column.substr(0, column.size() - 5)
                          : column) +
             "</th>";
  out += "</tr>\n";
  for (std::size_t layer = 0; layer < layers; ++layer) {
    out += "<tr><th>" + std::to_string(layer) + "</th>";
    for (auto &[column, values] : ranks.items())
      if (values.is_array())
        out += heatCell(
            layer < values.size() ? rankOf(values[layer]) : std::nullopt, most);
    out += "</tr>\n";
  }
  for (auto &[name, value] : ranks.items())
    if (!value.is_array())
      out += "<tr><th>" + htmlText(name) + "</th>" +
             heatCell(rankOf(value), most) + "</tr>\n";
  return out + "</table></div>\n";
}

} // namespace llamarun
