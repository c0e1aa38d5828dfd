#include "tools/reference/Pages.h"

#include <algorithm>
#include <cctype>

namespace reference {
namespace {

/// Text as roff takes it literally: no line begins with a control character,
/// no dash becomes a hyphen.
std::string literal(const std::string &text) {
  std::string out;
  for (char c : text)
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  if (out.starts_with(".") || out.starts_with("'"))
    out.insert(0, "\\&");
  for (std::size_t at = 0; (at = out.find('\n', at)) != out.npos;) {
    ++at;
    if (at < out.size() && (out[at] == '.' || out[at] == '\''))
      out.insert(at, "\\&");
  }
  return out;
}

std::string flagLine(const FlagDoc &flag) {
  std::string out;
  for (auto &name : flag.names)
    out.append(out.empty() ? "\\fB" : ", \\fB")
        .append(literal(name))
        .append("\\fR");
  if (!flag.value.empty())
    out += (flag.optionalValue ? " [\\fI" : " \\fI") + literal(flag.value) +
           (flag.optionalValue ? "\\fR]" : "\\fR");
  return out;
}

std::string entries(const CommandDoc &command) {
  std::string out;
  for (auto &argument : command.arguments) {
    out.append(".TP\n\\fI")
        .append(literal(argument.names.front()))
        .append("\\fR");
    if (!argument.choices.empty())
      out.append(" ").append(literal(argument.value));
    out.append("\n").append(literal(argument.help));
    out.append(argument.required ? " (required)\n" : "\n");
  }
  for (auto &flag : command.flags) {
    out += ".TP\n" + flagLine(flag) + "\n" +
           literal(flag.help.empty() ? "See the documentation of the command."
                                     : flag.help);
    if (flag.required)
      out += " (required)";
    else if (!flag.initial.empty())
      out += " Default: " + literal(flag.initial) + ".";
    out += "\n";
  }
  return out;
}

std::string synopsis(const CommandDoc &command, const std::string &name) {
  std::string out = ".B " + literal(name) + "\n";
  for (auto &argument : command.arguments)
    out += std::string("\\fI") + literal(argument.names.front()) + "\\fR" +
           (argument.repeats ? "...\n" : "\n");
  return out + "[\\fIoptions\\fR]\n";
}

} // namespace

std::string manPage(const CommandDoc &command, const std::string &version) {
  std::string title = command.name;
  std::ranges::transform(title, title.begin(),
                         [](unsigned char c) { return std::toupper(c); });
  std::string brief = command.about.substr(0, command.about.find('\n'));
  if (brief.ends_with("."))
    brief.pop_back();
  std::string out = ".TH \"" + literal(title) + "\" 1 \"\" \"" +
                    literal(version) + "\" \"User Commands\"\n.SH NAME\n" +
                    literal(command.name) + " \\- " + literal(brief) +
                    "\n.SH SYNOPSIS\n" + synopsis(command, command.name);
  for (auto &sub : command.commands)
    out += ".br\n" + synopsis(sub, command.name + " " + sub.name);
  out += ".SH DESCRIPTION\n" + literal(command.about) + "\n.SH OPTIONS\n" +
         entries(command);
  if (!command.commands.empty())
    out += ".SH COMMANDS\n";
  for (auto &sub : command.commands)
    out += ".SS \"" + literal(command.name + " " + sub.name) + "\"\n" +
           literal(sub.about) + "\n" + entries(sub);
  return out;
}

} // namespace reference
