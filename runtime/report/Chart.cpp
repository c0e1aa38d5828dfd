#include "runtime/report/Chart.h"

#include "runtime/report/Html.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace llamarun {
namespace {

// Units of the drawing; the page scales it.
constexpr double kWidth = 520, kHeight = 230, kLeft = 62, kRight = 12,
                 kTop = 10, kBottom = 26;
/// Curves beyond this are thinned, markers are drawn up to that.
constexpr std::size_t kMostPoints = 1000, kMostMarkers = 200;

std::string at(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

/// What is drawn, and where.
struct Frame {
  double left = std::numeric_limits<double>::infinity(), right = -left,
         low = left, high = -left;

  void take(const Point &p) {
    if (!std::isfinite(p.value))
      return;
    auto step = static_cast<double>(p.step);
    left = std::min(left, step), right = std::max(right, step);
    low = std::min(low, p.value), high = std::max(high, p.value);
  }
  bool empty() const { return left > right; }
  void widen() {
    if (left == right)
      left = std::max(0.0, left - 1), right += 1;
    double margin = high > low  ? 0.05 * (high - low)
                    : high != 0 ? 0.1 * std::abs(high)
                                : 1;
    // What cannot be negative is not drawn as if it could.
    low = low >= 0 ? std::max(0.0, low - margin) : low - margin;
    high += margin;
  }
  double x(double step) const {
    return kLeft + (step - left) / (right - left) * (kWidth - kLeft - kRight);
  }
  double y(double value) const {
    return kHeight - kBottom -
           (value - low) / (high - low) * (kHeight - kTop - kBottom);
  }
};

std::string colourOf(const Line &line) {
  return std::string("c").append(std::to_string(line.colour % kColours)) +
         (line.colour >= kColours ? " dashed" : "");
}

std::string axes(const Frame &frame) {
  std::string out;
  for (double value : axisTicks(frame.low, frame.high, 6)) {
    std::string y = at(frame.y(value));
    out += "<path class=\"grid\" d=\"M" + at(kLeft) + " " + y + "H" +
           at(kWidth - kRight) + "\"/><text x=\"" + at(kLeft - 6) + "\" y=\"" +
           at(frame.y(value) + 4) + "\" text-anchor=\"end\">" +
           shortNumber(value) + "</text>\n";
  }
  for (double step : axisTicks(frame.left, frame.right, 8)) {
    if (step != std::floor(step))
      continue;
    out += "<text x=\"" + at(frame.x(step)) + "\" y=\"" + at(kHeight - 8) +
           "\" text-anchor=\"middle\">" + shortNumber(step) + "</text>\n";
  }
  return out + "<path class=\"axis\" d=\"M" + at(kLeft) + " " + at(kTop) + "V" +
         at(kHeight - kBottom) + "H" + at(kWidth - kRight) + "\"/>\n";
}

std::string curve(const Frame &frame, const Line &line) {
  auto points = thinned(line.points, kMostPoints);
  std::string path, marks;
  bool pen = false;
  for (auto &p : points) {
    if (!std::isfinite(p.value)) {
      pen = false;
      continue;
    }
    double x = frame.x(static_cast<double>(p.step)), y = frame.y(p.value);
    path += (pen ? "L" : "M") + at(x) + " " + at(y);
    pen = true;
    const char *radius = points.size() <= 40             ? "3"
                         : points.size() <= kMostMarkers ? "2"
                                                         : "1";
    marks += "<circle cx=\"" + at(x) + "\" cy=\"" + at(y) + "\" r=\"" + radius +
             "\"><title>" + htmlText(line.label) + ": step " +
             shortNumber(static_cast<double>(p.step)) + ", " +
             shortNumber(p.value) + "</title></circle>\n";
  }
  return "<g class=\"" + colourOf(line) + "\"><path class=\"line\" d=\"" +
         path + "\"/>\n" + marks + "</g>\n";
}

} // namespace

std::vector<double> axisTicks(double low, double high, unsigned most) {
  if (!(high > low) || !std::isfinite(high - low) || most == 0)
    return {};
  double step = std::pow(10, std::floor(std::log10((high - low) / most)));
  for (double factor : {1.0, 2.0, 5.0, 10.0})
    if ((high - low) / (step * factor) <= most) {
      step *= factor;
      break;
    }
  std::vector<double> ticks;
  for (double i = std::ceil(low / step); i * step <= high && ticks.size() < 100;
       ++i)
    ticks.push_back(i * step);
  return ticks;
}

std::vector<Point> thinned(const std::vector<Point> &points, std::size_t most) {
  if (points.size() <= most)
    return points;
  std::vector<Point> kept = {points.front()};
  std::size_t parts = (most - 2) / 2, inner = points.size() - 2;
  for (std::size_t i = 0; i < parts; ++i) {
    auto begin = points.begin() + 1 +
                 static_cast<std::ptrdiff_t>(inner * i / parts),
         end = points.begin() + 1 +
               static_cast<std::ptrdiff_t>(inner * (i + 1) / parts);
    // NaN compares to nothing: a part of nothing else keeps its first.
    auto less = [](const Point &a, const Point &b) {
      return std::isnan(b.value) ? !std::isnan(a.value) : a.value < b.value;
    };
    auto low = std::min_element(begin, end, less),
         high = std::max_element(begin, end, [&](auto &a, auto &b) {
           return std::isnan(a.value) ? !std::isnan(b.value)
                                      : a.value < b.value;
         });
    kept.push_back(*std::min(low, high));
    if (low != high)
      kept.push_back(*std::max(low, high));
  }
  kept.push_back(points.back());
  return kept;
}

std::string chart(const std::string &title, const std::vector<Line> &lines) {
  Frame frame;
  for (auto &line : lines)
    for (auto &p : line.points)
      frame.take(p);
  if (frame.empty())
    return "";
  frame.widen();
  std::string name = htmlText(title);
  std::string out = "<figure><figcaption>" + name +
                    "</figcaption>\n<svg viewBox=\"0 0 " + at(kWidth) + " " +
                    at(kHeight) + "\" role=\"img\" aria-label=\"" + name +
                    " over steps\">\n" + axes(frame);
  for (auto &line : lines)
    out += curve(frame, line);
  out += "</svg>\n";
  if (lines.size() > 1) {
    out += "<p class=\"legend\">";
    for (auto &line : lines)
      if (!line.points.empty())
        out += "<span class=\"" + colourOf(line) + "\"><i></i>" +
               htmlText(line.label) + "</span> ";
    out += "</p>\n";
  }
  return out + "</figure>\n";
}

} // namespace llamarun
