#include "runtime/io/RankMap.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace llamarun {
namespace {

/// From few to many, dark to light: legible without colours, too.
struct Shade {
  int ansi;        ///< of the 256 colours
  const char *rgb; ///< the same
};
constexpr std::array<Shade, 8> kShades = {{{17, "#00005f"},
                                           {18, "#000087"},
                                           {24, "#005f87"},
                                           {30, "#008787"},
                                           {36, "#00af87"},
                                           {72, "#5faf87"},
                                           {149, "#afd75f"},
                                           {226, "#ffff00"}}};
constexpr std::size_t kFirstLight = 5; ///< black on it, white on those before
constexpr const char *kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

/// 0 to 7.
std::size_t shadeOf(std::uint32_t rank, std::uint32_t largest) {
  return largest == 0 ? 0 : std::size_t{rank} * (kShades.size() - 1) / largest;
}

/// Names come from a file: nothing of them may move a terminal's cursor.
std::string safe(const std::string &name) {
  std::string text = name;
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 ||
        static_cast<unsigned char>(c) >= 0x7f)
      c = '?';
  return text;
}

/// "q_proj" -> "q": what fits above a column.
std::string label(const std::string &column) {
  std::string text = safe(column);
  if (text.ends_with("_proj") && text.size() > 5)
    text.resize(text.size() - 5);
  return text;
}

std::string padded(const std::string &text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string escaped(const std::string &text) {
  std::string out;
  for (char c : safe(text))
    switch (c) {
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '&':
      out += "&amp;";
      break;
    default:
      out += c;
    }
  return out;
}

/// "  ▅ 4 " on its shade.
std::string colouredCell(std::uint32_t rank, std::uint32_t largest,
                         std::size_t width) {
  auto shade = shadeOf(rank, largest);
  auto bar = largest == 0 ? 0 : std::size_t{rank} * 8 / largest;
  return "\x1b[48;5;" + std::to_string(kShades[shade].ansi) + "m\x1b[38;5;" +
         (shade >= kFirstLight ? "16" : "231") + "m" +
         (rank != 0 && bar == 0 ? kBars[1] : kBars[bar]) +
         padded(std::to_string(rank), width - 2) + " \x1b[0m";
}

} // namespace

void printRankMap(const RankGrid &grid, std::ostream &out, bool terminal) {
  std::uint32_t largest = grid.largest();
  std::size_t width = std::max<std::size_t>(5, std::to_string(largest).size() +
                                                   (terminal ? 3 : 2));
  for (auto &column : grid.columns)
    width = std::max(width, label(column).size() + 2);
  std::size_t first = std::max<std::size_t>(
      5, std::to_string(grid.rows.size()).size()); // "layer"
  if (!grid.rows.empty()) {
    out << padded("layer", first);
    for (auto &column : grid.columns)
      out << padded(label(column), width);
    out << padded("sum", width + 1) << "\n";
  }
  for (std::size_t layer = 0; layer < grid.rows.size(); ++layer) {
    out << padded(std::to_string(layer), first);
    std::uint64_t sum = 0;
    for (auto &cell : grid.rows[layer]) {
      sum += cell.value_or(0);
      if (cell && terminal)
        out << colouredCell(*cell, largest, width);
      else
        out << padded(cell ? std::to_string(*cell) : "-", width);
    }
    out << padded(std::to_string(sum), width + 1) << "\n";
  }
  for (auto &[module, rank] : grid.others)
    out << safe(module) << " " << rank << "\n";
}

std::string rankMapSvg(const RankGrid &grid, const std::string &title) {
  constexpr std::size_t kWidth = 36, kHeight = 20, kLeft = 52, kTop = 46;
  std::uint32_t largest = grid.largest();
  std::size_t width = std::max<std::size_t>(
      kLeft + grid.columns.size() * kWidth + 10, title.size() * 7 + 20);
  std::size_t rows = grid.rows.size() + grid.others.size();
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
                    std::to_string(width) + "\" height=\"" +
                    std::to_string(kTop + rows * kHeight + 10) +
                    "\" font-family=\"sans-serif\" font-size=\"11\">\n"
                    "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
                    "<text x=\"10\" y=\"18\" font-size=\"12\">" +
                    escaped(title) + "</text>\n";
  auto text = [&](std::size_t x, std::size_t y, const char *anchor,
                  const char *fill, const std::string &what) {
    svg += "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) +
           "\" text-anchor=\"" + anchor + "\" fill=\"" + fill + "\">" +
           escaped(what) + "</text>\n";
  };
  for (std::size_t c = 0; c < grid.columns.size(); ++c)
    text(kLeft + c * kWidth + kWidth / 2, kTop - 8, "middle", "#000000",
         label(grid.columns[c]));
  for (std::size_t layer = 0; layer < grid.rows.size(); ++layer) {
    std::size_t y = kTop + layer * kHeight;
    text(kLeft - 8, y + 14, "end", "#000000", std::to_string(layer));
    for (std::size_t c = 0; c < grid.columns.size(); ++c) {
      auto &cell = grid.rows[layer][c];
      if (!cell)
        continue;
      std::size_t x = kLeft + c * kWidth, shade = shadeOf(*cell, largest);
      svg += "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) +
             "\" width=\"" + std::to_string(kWidth - 1) + "\" height=\"" +
             std::to_string(kHeight - 1) + "\" fill=\"" + kShades[shade].rgb +
             "\"><title>layer " + std::to_string(layer) + " " +
             escaped(grid.columns[c]) + ": rank " + std::to_string(*cell) +
             "</title></rect>\n";
      text(x + kWidth / 2, y + 14, "middle",
           shade >= kFirstLight ? "#000000" : "#ffffff", std::to_string(*cell));
    }
  }
  for (std::size_t i = 0; i < grid.others.size(); ++i)
    text(10, kTop + (grid.rows.size() + i) * kHeight + 14, "start", "#000000",
         grid.others[i].first + ": " + std::to_string(grid.others[i].second));
  return svg + "</svg>\n";
}

} // namespace llamarun
