#include "tools/reference/Reference.h"

namespace reference {

void addCommands(CLI::App &app, Request &request) {
  auto add = [&](const char *name, const char *about, const char *argument,
                 const char *choices, std::vector<std::string> values) {
    auto *command = app.add_subcommand(name, about);
    command->add_option(argument, request.kind)
        ->required()
        ->check(CLI::IsMember(std::move(values)))
        ->option_text(choices);
    return command;
  };
  add("completion",
      "Print a script that completes commands and flags in a shell", "shell",
      "bash|zsh|fish", {"bash", "zsh", "fish"});
  add("reference", "Print the manual page, or the same in Markdown", "format",
      "man|markdown", {"man", "markdown"})
      ->group("");
}

} // namespace reference
