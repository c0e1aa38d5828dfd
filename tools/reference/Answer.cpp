#include "tools/reference/Completion.h"
#include "tools/reference/Pages.h"

namespace reference {

std::string answer(const CommandDoc &command, const std::string &kind,
                   const std::string &version) {
  if (kind == "bash")
    return bashCompletion(command);
  if (kind == "zsh")
    return zshCompletion(command);
  if (kind == "fish")
    return fishCompletion(command);
  if (kind == "man")
    return manPage(command, version);
  return kind == "markdown" ? markdownPage(command) : "";
}

} // namespace reference
