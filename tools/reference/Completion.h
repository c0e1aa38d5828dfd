//===- Completion.h - Scripts that complete a command line -----*- C++ -*-===//
#pragma once

#include "tools/reference/CommandDoc.h"

namespace reference {

/// For bash 4 or later, without the package bash-completion: to be sourced, or
/// put into share/bash-completion/completions.
std::string bashCompletion(const CommandDoc &command);
/// For zsh: a file `_<name>` in a folder of $fpath.
std::string zshCompletion(const CommandDoc &command);
/// For fish: share/fish/vendor_completions.d/<name>.fish.
std::string fishCompletion(const CommandDoc &command);

} // namespace reference
