//===- RankMap.h - Ranks of an adapter as a heat map -----------*- C++ -*-===//
#pragma once

#include "runtime/io/RankGrid.h"

#include <ostream>
#include <string>

namespace llamarun {

/// Prints a row for each layer and a column for each projection.
/// \param terminal cells are coloured by rank (ANSI, 256 colours) and have a
///   bar of that height; otherwise they are numbers alone, "-" where nothing is
///   adapted.
void printRankMap(const RankGrid &grid, std::ostream &out, bool terminal);

/// The same as an SVG document, 36 x 20 units a cell, numbers in the cells.
/// \param title the line above it, plain text.
std::string rankMapSvg(const RankGrid &grid, const std::string &title);

} // namespace llamarun
