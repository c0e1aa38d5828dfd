#include "tools/reference/Pages.h"

namespace reference {
namespace {

/// Text of a table's cell.
std::string cell(const std::string &text) {
  std::string out;
  for (char c : text)
    if (c == '|')
      out += "\\|";
    else if (c == '<' || c == '*' || c == '_')
      out += std::string("\\") + c;
    else
      out += c == '\n' ? ' ' : c;
  return out;
}

/// The same as code, in which only the bar has a meaning to the table.
std::string code(const std::string &text) {
  std::string out;
  for (char c : text)
    out += c == '|' ? std::string("\\|") : std::string(1, c);
  return text.empty() ? "" : "`" + out + "`";
}

void addTable(std::string &out, const CommandDoc &command) {
  if (command.arguments.empty() && command.flags.empty())
    return;
  out += "| flag | meaning | default |\n|---|---|---|\n";
  auto row = [&](const FlagDoc &flag) {
    std::string names;
    for (auto &name : flag.names)
      names += (names.empty() ? "" : ", ") + name;
    if (!flag.value.empty() && flag.names.front().starts_with("-"))
      names += flag.optionalValue ? " [" + flag.value + "]" : " " + flag.value;
    else if (!flag.choices.empty())
      names += " " + flag.value;
    out += "| " + code(names) + " | " + cell(flag.help) + " | " +
           (flag.required ? "required" : code(flag.initial)) + " |\n";
  };
  for (auto &argument : command.arguments)
    row(argument);
  for (auto &flag : command.flags)
    row(flag);
  out += "\n";
}

} // namespace

std::string markdownPage(const CommandDoc &command) {
  std::string out = "# " + command.name + "\n\n" + cell(command.about) + "\n\n";
  addTable(out, command);
  for (auto &sub : command.commands) {
    out += "## " + command.name + " " + sub.name + "\n\n" + cell(sub.about) +
           "\n\n";
    addTable(out, sub);
  }
  return out;
}

} // namespace reference
