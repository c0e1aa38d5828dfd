#include "tools/reference/CommandDoc.h"

#include <CLI/CLI.hpp>

namespace reference {
namespace {

/// "off|load [off]" -> {"off|load", "off"}; "[DIR]" -> {"[DIR]", ""}.
std::pair<std::string, std::string> splitText(const std::string &text) {
  std::size_t space = text.find(" [");
  if (space == text.npos || !text.ends_with("]"))
    return {text, ""};
  return {text.substr(0, space),
          text.substr(space + 2, text.size() - space - 3)};
}

FlagDoc describeOption(const CLI::Option &option) {
  FlagDoc doc;
  if (option.get_positional()) {
    doc.names.push_back(option.get_name(true));
  } else {
    for (auto &name : option.get_snames())
      doc.names.push_back("-" + name);
    for (auto &name : option.get_lnames())
      doc.names.push_back("--" + name);
  }
  doc.help = option.get_description();
  doc.required = option.get_required();
  doc.initial = initialOf(option);
  doc.repeats = option.get_expected_max() > 1;
  if (option.get_expected_max() == 0)
    return doc; // a switch
  doc.optionalValue = option.get_expected_min() == 0;
  std::string type = option.get_type_name();
  // Of the type alone, without its validators.
  doc.value = type.substr(0, type.find_first_of(": "));
  auto [text, initial] = splitText(option.get_option_text());
  if (!text.empty())
    doc.value = text;
  if (doc.value.empty())
    doc.value = "VALUE";
  if (text.find('|') != text.npos && text.find_first_of("[]<> ") == text.npos)
    doc.choices = CLI::detail::split(text, '|');
  doc.isPath = doc.choices.empty() && type.starts_with("TEXT");
  return doc;
}

} // namespace

std::string initialOf(const CLI::Option &option) {
  auto [text, initial] = splitText(option.get_option_text());
  std::string value = option.get_default_str();
  // Empty text and lists are shown as nothing.
  if (value == "\"\"" || value == "[]" || value == "{}")
    value.clear();
  return text.find('|') != text.npos && !initial.empty() ? initial : value;
}

CommandDoc describe(const CLI::App &app) {
  CommandDoc doc;
  doc.name = app.get_name();
  doc.about = app.get_description();
  for (const CLI::Option *option : app.get_options()) {
    if (option->get_group().empty())
      continue;
    auto &list = option->get_positional() ? doc.arguments : doc.flags;
    list.push_back(describeOption(*option));
  }
  for (const CLI::App *command : app.get_subcommands({}))
    if (!command->get_group().empty())
      doc.commands.push_back(describe(*command));
  return doc;
}

} // namespace reference
