#include "tools/reference/Completion.h"

namespace reference {
namespace {

std::string joined(const std::vector<std::string> &words, const char *between) {
  std::string out;
  for (auto &word : words)
    out += (out.empty() ? "" : between) + word;
  return out;
}

/// Between single quotes.
std::string quoted(const std::string &text) {
  std::string out = "'";
  for (char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// "--tune) _llamarun_words 'off load force'; return;;": what follows a flag.
std::string cases(const CommandDoc &command, const std::string &me) {
  std::string out;
  for (auto &flag : command.flags) {
    if (flag.value.empty())
      continue;
    std::string action =
        !flag.choices.empty()
            ? me + "_words " + quoted(joined(flag.choices, " ")) + "; "
        : flag.isPath ? me + "_files; "
                      : "";
    // What begins with a dash is the next flag where a value is not needed.
    out += "      " + joined(flag.names, "|") + ") " +
           (flag.optionalValue ? "[[ $cur == -* ]] || { " + action + "return; }"
                               : action + "return") +
           ";;\n";
  }
  return out;
}

std::string flagsOf(const CommandDoc &command) {
  std::string out;
  for (auto &flag : command.flags)
    out += (out.empty() ? "" : " ") + joined(flag.names, " ");
  return out;
}

std::string branch(const CommandDoc &command, const std::string &pattern,
                   const std::string &me) {
  std::vector<std::string> words;
  bool files = false;
  for (auto &sub : command.commands)
    words.push_back(sub.name);
  for (auto &argument : command.arguments) {
    words.insert(words.end(), argument.choices.begin(), argument.choices.end());
    files |= argument.isPath;
  }
  return "  " + pattern + ")\n    case $flag in\n" + cases(command, me) +
         "    esac\n    if [[ $cur == -* ]]; then\n      " + me + "_words " +
         quoted(flagsOf(command)) + "\n    else\n      " + me + "_words " +
         quoted(joined(words, " ")) + "\n" +
         (files ? "      " + me + "_files\n" : "") + "    fi;;\n";
}

} // namespace

std::string bashCompletion(const CommandDoc &command) {
  std::string name = command.name, me = "_";
  for (char c : name)
    me += c == '-' ? '_' : c;
  std::vector<std::string> names;
  for (auto &sub : command.commands)
    names.push_back(sub.name);
  std::string out = "# bash completion of " + name + ", made by \"" + name +
                    " completion bash\".\n";
  out += me + "_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- "
              "\"$cur\"); }\n";
  out += me + "_files() {\n"
              "  local file\n"
              "  compopt -o filenames 2>/dev/null\n"
              "  while IFS= read -r file; do COMPREPLY+=(\"$file\"); done "
              "< <(compgen -f -- \"$cur\")\n"
              "}\n";
  out += me + "() {\n"
              "  local cur=${COMP_WORDS[COMP_CWORD]} flag= command= i\n"
              "  # bash takes --flag=value for three words.\n"
              "  if [[ $cur == = ]]; then\n"
              "    cur= flag=${COMP_WORDS[COMP_CWORD-1]}\n"
              "  elif [[ ${COMP_WORDS[COMP_CWORD-1]} == = ]]; then\n"
              "    flag=${COMP_WORDS[COMP_CWORD-2]}\n"
              "  else\n"
              "    flag=${COMP_WORDS[COMP_CWORD-1]}\n"
              "  fi\n"
              "  COMPREPLY=()\n";
  if (!names.empty())
    out += "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
           "    case ${COMP_WORDS[i]} in\n"
           "    " +
           joined(names, "|") +
           ") command=${COMP_WORDS[i]}; break;;\n"
           "    esac\n"
           "  done\n";
  out += "  case $command in\n";
  for (auto &sub : command.commands)
    out += branch(sub, sub.name, me);
  out += branch(command, "*", me) + "  esac\n}\ncomplete -F " + me + " " +
         name + "\n";
  return out;
}

} // namespace reference
