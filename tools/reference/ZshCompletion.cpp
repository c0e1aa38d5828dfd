#include "tools/reference/Completion.h"

namespace reference {
namespace {

/// Inside a single-quoted specification of _arguments: brackets and colons
/// have a meaning there.
std::string escaped(const std::string &text) {
  std::string out;
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (c == '[' || c == ']' || c == ':' || c == '\\')
      out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

/// ":value:action"
std::string valueOf(const FlagDoc &flag) {
  std::string action = " ";
  if (!flag.choices.empty()) {
    action = "(";
    for (auto &choice : flag.choices)
      action.append(action == "(" ? "" : " ").append(escaped(choice));
    action += ")";
  } else if (flag.isPath) {
    action = "_files";
  }
  return std::string(":")
      .append(escaped(flag.value.empty() ? flag.names.front() : flag.value))
      .append(":")
      .append(action);
}

std::string argumentsOf(const CommandDoc &command) {
  std::string out;
  for (auto &flag : command.flags)
    for (auto &name : flag.names) {
      out += " \\\n    '";
      if (flag.repeats)
        out += "*";
      else if (flag.names.size() > 1) {
        // The other spellings are the same flag.
        out += "(";
        for (auto &other : flag.names)
          out += (other == flag.names.front() ? "" : " ") + other;
        out += ")";
      }
      bool isLong = name.starts_with("--");
      out += name;
      if (!flag.value.empty())
        out += isLong ? "=" : "+";
      out.append("[").append(escaped(flag.help)).append("]");
      if (!flag.value.empty())
        out.append(flag.optionalValue ? ":" : "").append(valueOf(flag));
      out += "'";
    }
  std::size_t position = 0;
  for (auto &argument : command.arguments) {
    ++position;
    out += " \\\n    '" + (argument.repeats ? "*" : std::to_string(position)) +
           valueOf(argument) + "'";
  }
  return out;
}

} // namespace

std::string zshCompletion(const CommandDoc &command) {
  std::string me = std::string("_").append(command.name);
  std::string out = "#compdef " + command.name + "\n# Made by \"" +
                    command.name + " completion zsh\".\n" + me +
                    "() {\n  local curcontext=$curcontext command word\n";
  if (!command.commands.empty()) {
    out += "  for word in ${words[2,CURRENT-1]}; do\n    case $word in\n    ";
    for (auto &sub : command.commands)
      out += (&sub == &command.commands.front() ? "" : "|") + sub.name;
    out += ") command=$word; break;;\n    esac\n  done\n";
    // The subcommand's own words begin after it.
    out += "  if [[ -n $command ]]; then\n"
           "    local at=${words[(i)$command]}\n"
           "    words=(\"${(@)words[at,-1]}\")\n"
           "    (( CURRENT -= at - 1 ))\n"
           "  fi\n";
  }
  out += "  case $command in\n";
  for (auto &sub : command.commands)
    out.append("  ")
        .append(sub.name)
        .append(") _arguments -S")
        .append(argumentsOf(sub))
        .append(";;\n");
  out += "  *)";
  if (!command.commands.empty()) {
    out += "\n    local -a commands=(";
    for (auto &sub : command.commands)
      out += "\n      '" + sub.name + ":" + escaped(sub.about) + "'";
    out += ")\n    [[ $PREFIX == -* || $words[CURRENT-1] == -* ]] || _describe "
           "command commands";
  }
  out += "\n    _arguments -S" + argumentsOf(command) + ";;\n  esac\n}\n";
  return out + "if [[ $funcstack[1] == " + me + " ]]; then " + me +
         " \"$@\"; else compdef " + me + " " + command.name + "; fi\n";
}

} // namespace reference
