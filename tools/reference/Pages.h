//===- Pages.h - Reference pages of a command ------------------*- C++ -*-===//
#pragma once

#include "tools/reference/CommandDoc.h"

namespace reference {

/// A manual page of section 1 (man(7) macros), subcommands in it.
/// \param version "llamarun 0.1.0".
std::string manPage(const CommandDoc &command, const std::string &version);
/// The same in Markdown, one table of flags a command.
std::string markdownPage(const CommandDoc &command);

/// The script or page of a kind: "bash", "zsh", "fish", "man", "markdown";
/// nothing for another one. \param version as --version prints it.
std::string answer(const CommandDoc &command, const std::string &kind,
                   const std::string &version);

} // namespace reference
