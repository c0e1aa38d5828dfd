#include "runtime/io/RankMap.h"

#include <gtest/gtest.h>

#include <sstream>

namespace llamarun {
namespace {

const std::vector<std::pair<std::string, std::uint32_t>> kRanks = {
    {"model.layers.0.self_attn.q_proj", 12},
    {"model.layers.0.mlp.down_proj", 0},
    {"model.layers.2.self_attn.q_proj", 6}};

std::string printed(bool terminal) {
  std::ostringstream out;
  printRankMap(RankGrid::of(kRanks), out, terminal);
  return out.str();
}

TEST(RankMap, PlainNumbersWhereThereIsNoTerminal) {
  EXPECT_EQ(printed(false), "layer     q  down    sum\n"
                            "    0    12     0     12\n"
                            "    1     -     -      0\n"
                            "    2     6     -      6\n");
}

TEST(RankMap, ShadesAndBarsOnATerminal) {
  std::string text = printed(true);
  // The largest is full and light with dark digits, 0 is dark and empty.
  EXPECT_NE(text.find("\x1b[48;5;226m\x1b[38;5;16m█  12 \x1b[0m"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\x1b[48;5;17m\x1b[38;5;231m    0 \x1b[0m"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("▄   6 "), std::string::npos) << text;
}

TEST(RankMap, Svg) {
  std::string svg = rankMapSvg(RankGrid::of(kRanks), "a < b & c");
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  EXPECT_NE(svg.find("fill=\"#ffff00\"><title>layer 0 q_proj: rank 12<"),
            std::string::npos);
  EXPECT_NE(svg.find("fill=\"#00005f\"><title>layer 0 down_proj: rank 0<"),
            std::string::npos);
  std::size_t cells = 0;
  for (std::size_t at = 0; (at = svg.find("<title>", at)) != svg.npos; ++at)
    ++cells;
  EXPECT_EQ(cells, kRanks.size()) << "none where nothing is adapted";
}

// Names are a file's: nothing of them reaches the terminal or breaks the XML.
TEST(RankMap, HostileNames) {
  RankGrid grid =
      RankGrid::of({{"model.layers.0.a.\x1b[2J<x>", 1}, {"\x1b[2J\xff", 2}});
  std::ostringstream out;
  printRankMap(grid, out, false);
  EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
  std::string svg = rankMapSvg(grid, "t");
  EXPECT_EQ(svg.find('\x1b'), std::string::npos);
  EXPECT_EQ(svg.find("<x>"), std::string::npos);
  EXPECT_EQ(svg.find('\xff'), std::string::npos);
}

TEST(RankMap, NothingAdapted) {
  std::ostringstream out;
  printRankMap(RankGrid::of({}), out, true);
  EXPECT_EQ(out.str(), "");
}

} // namespace
} // namespace llamarun
