//===- Reference.h - The commands `completion` and `reference` -*- C++ -*-===//
#pragma once

#include "tools/reference/Pages.h"

#include <CLI/CLI.hpp>
#include <string>

namespace reference {

/// What the two commands were asked for: "bash", "zsh", "fish", or "man",
/// "markdown"; empty if neither was.
struct Request {
  std::string kind;
};

/// Declares `completion <shell>` and, for building and packaging, the hidden
/// `reference <format>`. \param request outlives `app`.
void addCommands(CLI::App &app, Request &request);

} // namespace reference
