#include "tools/reference/Completion.h"

namespace reference {
namespace {

/// Between single quotes.
std::string quoted(const std::string &text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\')
      out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "'";
}

std::string joined(const std::vector<std::string> &words) {
  std::string out;
  for (auto &word : words)
    out += (out.empty() ? "" : " ") + word;
  return out;
}

void addFlags(std::string &out, const CommandDoc &command,
              const std::string &begin) {
  for (auto &flag : command.flags) {
    out += begin;
    for (auto &name : flag.names)
      out += name.starts_with("--") ? " -l " + quoted(name.substr(2))
             : name.size() == 2     ? " -s " + quoted(name.substr(1))
                                    : " -o " + quoted(name.substr(1));
    if (!flag.choices.empty())
      out += " -x -a " + quoted(joined(flag.choices));
    else if (flag.isPath)
      out += flag.optionalValue ? " -F" : " -r -F";
    else if (!flag.value.empty())
      out += " -x";
    out += " -d " + quoted(flag.help) + "\n";
  }
  bool files = false;
  for (auto &argument : command.arguments) {
    files |= argument.isPath;
    if (!argument.choices.empty())
      out += begin + " -a " + quoted(joined(argument.choices)) + "\n";
  }
  if (!files)
    out += begin + " -f\n";
}

} // namespace

std::string fishCompletion(const CommandDoc &command) {
  std::string begin = "complete -c " + command.name, names;
  for (auto &sub : command.commands)
    names += " " + sub.name;
  std::string out = "# fish completion of " + command.name + ", made by \"" +
                    command.name + " completion fish\".\n";
  std::string none =
      names.empty() ? "" : " -n 'not __fish_seen_subcommand_from" + names + "'";
  addFlags(out, command, begin + none);
  for (auto &sub : command.commands) {
    out += begin + none + " -a " + sub.name + " -d " + quoted(sub.about) + "\n";
    addFlags(out, sub,
             begin + " -n '__fish_seen_subcommand_from " + sub.name + "'");
  }
  return out;
}

} // namespace reference
