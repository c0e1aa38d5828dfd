//===- Chart.h - Curves as inline SVG --------------------------*- C++ -*-===//
#pragma once

#include "runtime/report/RunFiles.h"

#include <string>
#include <vector>

namespace llamarun {

/// Colours are classes c0 to c7 of the page's style sheet.
inline constexpr std::size_t kColours = 8;

struct Line {
  std::string label;
  std::size_t colour = 0; ///< of the kColours; beyond those the line is dashed
  std::vector<Point> points;
};

/// Tick values for an axis from `low` to `high`: multiples of 1, 2 or 5 times
/// a power of ten, at most about `most`, those that lie in the range.
std::vector<double> axisTicks(double low, double high, unsigned most);

/// At most `most` points that look the same: of each part of the line its
/// lowest and highest, and both ends. \param most at least 4.
std::vector<Point> thinned(const std::vector<Point> &points, std::size_t most);

/// A figure with a title, a plot over steps and, if there are several lines, a
/// legend. Every point that is drawn says step and value when pointed at, by
/// SVG's own <title>. NaN leaves a gap. Empty if no line has a number.
std::string chart(const std::string &title, const std::vector<Line> &lines);

} // namespace llamarun
