//===- CommandDoc.h - What a command line offers ---------------*- C++ -*-===//
//
// The one description from which completion scripts, manual pages and reference
// pages are made. Nothing in it is written by hand: it is read off the
// definitions that parse the command line.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace reference {

/// A flag, or a positional argument (then `names` is the one name, in words).
struct FlagDoc {
  std::vector<std::string> names; ///< "-o", "--output"
  std::string value;              ///< "N", "TEXT", "off|load"; empty: a switch
  std::string help;
  std::string initial;              ///< the default; may be empty
  std::vector<std::string> choices; ///< if only these values make sense
  bool isPath = false;              ///< the value may be a file or folder
  bool optionalValue = false;       ///< "--flag" alone is good, too
  bool required = false, repeats = false;
};

struct CommandDoc {
  std::string name;  ///< "llamarun", of a subcommand "train"
  std::string about; ///< sentences
  std::vector<FlagDoc> arguments, flags;
  std::vector<CommandDoc> commands;
};

/// Reads CLI11's definitions. Hidden options and subcommands (of group "") are
/// left out. Choices are those of an option text such as "off|load [off]".
CommandDoc describe(const CLI::App &app);

/// The value that an option has where it is not given, or "": its default
/// string, or what its option text has in brackets after choices.
std::string initialOf(const CLI::Option &option);

} // namespace reference
