//===- Html.h - Text and numbers on a page ---------------------*- C++ -*-===//
#pragma once

#include <string>

namespace llamarun {

/// Text as HTML: markup escaped, control characters made spaces, what is not
/// UTF-8 made U+FFFD. Also good between double quotes.
std::string htmlText(const std::string &text);

/// Four significant digits, as a person writes them: "0.6931", "3e-05",
/// "12,345", "-" for NaN.
std::string shortNumber(double value);

/// "1.50 GiB"
std::string bytesText(double bytes);

} // namespace llamarun
