#include "runtime/backup/AwsProfile.h"

#include "runtime/io/MappedFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cctype>

namespace llamarun {

namespace fs = std::filesystem;

static std::string_view trim(std::string_view text) {
  auto begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos)
    return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

AwsSections parseAwsFile(const fs::path &path, std::string_view text) {
  AwsSections sections;
  std::map<std::string, std::string> *section = nullptr;
  for (unsigned number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    bool indented = line.starts_with(' ') || line.starts_with('\t');
    line = trim(line);
    if (line.empty() || line.front() == '#' || line.front() == ';')
      continue;
    auto refuse = [&](const char *what) {
      fail(ExitCode::BadInput, path.string(), ":", number, ": ", what);
    };
    if (line.front() == '[') {
      auto end = line.find(']');
      if (end == line.npos)
        refuse("a section that does not end with ]");
      section = &sections[std::string(trim(line.substr(1, end - 1)))];
      continue;
    }
    if (indented && section)
      continue; // of a nested setting, such as s3 =
    auto equals = line.find('=');
    if (equals == line.npos || equals == 0)
      refuse("neither a section nor 'name = value'");
    if (!section)
      refuse("a setting before the first section");
    std::string name(trim(line.substr(0, equals)));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return std::tolower(c); });
    std::string_view value = trim(line.substr(equals + 1));
    // A comment after a value begins with a blank.
    for (const char *mark : {" #", " ;"})
      value = trim(value.substr(0, value.find(mark)));
    (*section)[name] = value;
  }
  return sections;
}

std::string AwsProfile::get(const std::string &setting) const {
  auto at = settings.find(setting);
  return at == settings.end() ? std::string() : at->second;
}

static fs::path fileOf(const AwsEnvironment &environment, const char *variable,
                       const char *name) {
  if (auto path = environment(variable); !path.empty())
    return path;
  auto home = environment("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".aws" / name;
}

static AwsSections read(const fs::path &path) {
  std::error_code ignored;
  if (path.empty() || !fs::exists(path, ignored))
    return {};
  return parseAwsFile(path, MappedFile::open(path).text());
}

AwsProfile readAwsProfile(const std::string &name,
                          const AwsEnvironment &environment) {
  AwsProfile profile;
  profile.name = name;
  for (const char *variable : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"})
    if (profile.name.empty())
      profile.name = environment(variable);
  bool named = !profile.name.empty();
  if (!named)
    profile.name = "default";

  auto take = [&](const fs::path &path, const AwsSections &sections,
                  const std::string &section) {
    auto at = sections.find(section);
    if (at == sections.end())
      return;
    profile.found = true;
    for (auto &[setting, value] : at->second)
      profile.settings[setting] = value;
    if (at->second.count("aws_access_key_id"))
      profile.keysFrom = path.string();
  };
  auto config = fileOf(environment, "AWS_CONFIG_FILE", "config");
  auto sections = read(config);
  if (profile.name == "default")
    take(config, sections, "default");
  take(config, sections, "profile " + profile.name);
  auto shared =
      fileOf(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  take(shared, read(shared), profile.name);
  if (named && !profile.found)
    fail(ExitCode::Usage, "no profile ", quoteName(profile.name), " in ",
         config.string(), " or ", shared.string());
  return profile;
}

} // namespace llamarun
