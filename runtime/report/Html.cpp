#include "runtime/report/Html.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace llamarun {

std::string htmlText(const std::string &text) {
  using Json = nlohmann::json;
  auto valid = Json::parse(Json(text).dump(-1, ' ', false,
                                           Json::error_handler_t::replace))
                   .get<std::string>();
  std::string out;
  for (char c : valid)
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  return out;
}

std::string shortNumber(double value) {
  if (!std::isfinite(value))
    return "-";
  char text[64];
  double size = std::abs(value);
  if (size >= 1e4 && size < 1e15) {
    std::snprintf(text, sizeof text, "%.0f", value);
    std::string out = text;
    for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3;
         at > (value < 0 ? 1 : 0); at -= 3)
      out.insert(static_cast<std::size_t>(at), ",");
    return out;
  }
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string bytesText(double bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(units); ++unit)
    bytes /= 1024;
  char text[48];
  std::snprintf(text, sizeof text, unit ? "%.2f %s" : "%.0f %s", bytes,
                units[unit]);
  return text;
}

} // namespace llamarun
