#include "runtime/report/Chart.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace llamarun {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(AxisTicks, AreRoundAndInside) {
  EXPECT_EQ(axisTicks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  auto ticks = axisTicks(0.13, 0.71, 6);
  ASSERT_EQ(ticks.size(), 6u);
  EXPECT_NEAR(ticks.front(), 0.2, 1e-12);
  EXPECT_NEAR(ticks.back(), 0.7, 1e-12);
  EXPECT_TRUE(axisTicks(1, 1, 5).empty());
  EXPECT_TRUE(axisTicks(kNan, 1, 5).empty());
  for (auto [low, high] : {std::pair(1e-9, 3e-9), {-5.0, 1e12}, {0.0, 7.0}})
    for (double tick : axisTicks(low, high, 6))
      EXPECT_TRUE(tick >= low && tick <= high) << tick;
}

TEST(Thinned, KeepsEndsAndExtremes) {
  std::vector<Point> points;
  for (std::uint64_t i = 0; i < 5000; ++i)
    points.push_back({i, std::sin(static_cast<double>(i) / 9)});
  points[2345].value = 9;
  points[1111].value = -9;
  points[77].value = kNan;
  auto kept = thinned(points, 100);
  EXPECT_LE(kept.size(), 100u);
  EXPECT_EQ(kept.front().step, 0u);
  EXPECT_EQ(kept.back().step, 4999u);
  auto has = [&](std::uint64_t step) {
    return std::ranges::any_of(kept, [&](auto &p) { return p.step == step; });
  };
  EXPECT_TRUE(has(2345) && has(1111));
  EXPECT_TRUE(std::ranges::is_sorted(kept, {}, &Point::step));
  EXPECT_EQ(thinned(points, 5000).size(), 5000u);
}

std::size_t count(const std::string &text, const std::string &what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1))
    ++n;
  return n;
}

TEST(Chart, DrawsEveryPointAndGapsForNaN) {
  auto svg = chart("a < b", {{"x", 0, {{1, 2}, {2, kNan}, {3, 4}, {4, 5}}}});
  EXPECT_EQ(count(svg, "<circle"), 3u);
  EXPECT_NE(svg.find("x: step 3, 4"), svg.npos);
  EXPECT_NE(svg.find("a &lt; b"), svg.npos);
  // Two strokes: one before and one after the gap.
  auto path = svg.substr(svg.find("class=\"line\" d=\""));
  path = path.substr(0, path.find("/>"));
  EXPECT_EQ(count(path, "M"), 2u);
  EXPECT_EQ(count(path, "L"), 1u);
  EXPECT_EQ(count(svg, "legend"), 0u);
}

TEST(Chart, PutsValuesWhereTheAxisSaysTheyAre) {
  // 0 to 10 with a margin above alone: what is not negative stays so.
  auto svg = chart("t", {{"x", 0, {{0, 0}, {10, 10}}}});
  EXPECT_NE(svg.find("<circle cx=\"62.0\" cy=\"204.0\""), svg.npos) << svg;
  EXPECT_NE(svg.find("<circle cx=\"508.0\" cy=\"19.2\""), svg.npos) << svg;
}

TEST(Chart, ShowsOnePointAndNothing) {
  EXPECT_EQ(count(chart("t", {{"x", 0, {{5, 1}}}}), "<circle"), 1u);
  EXPECT_EQ(chart("t", {{"x", 0, {{5, kNan}}}}), "");
  EXPECT_EQ(chart("t", {}), "");
}

TEST(Chart, NamesSeveralLines) {
  auto svg = chart("t", {{"a", 0, {{1, 1}}}, {"b&", 9, {{1, 2}}}});
  EXPECT_NE(svg.find("class=\"c1 dashed\""), svg.npos);
  EXPECT_NE(svg.find("b&amp;</span>"), svg.npos);
}

} // namespace
} // namespace llamarun
