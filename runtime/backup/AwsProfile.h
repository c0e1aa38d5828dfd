//===- AwsProfile.h - ~/.aws/config and ~/.aws/credentials -----*- C++ -*-===//
//
// The format of the AWS tools (AWS SDKs and Tools Reference Guide, "Shared
// config and credentials files"): sections in brackets, `name = value`, `#` and
// `;` at the start of a line; indented lines belong to the setting above.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace llamarun {

/// The value of a variable of the environment, empty if it is not set.
using AwsEnvironment = std::function<std::string(const char *)>;

/// Settings of each section by name, in lower case.
using AwsSections = std::map<std::string, std::map<std::string, std::string>>;

/// \throws Error(BadInput) naming file and line, and nothing that is in them.
AwsSections parseAwsFile(const std::filesystem::path &path,
                         std::string_view text);

/// A profile's settings from both files; those of the credentials file win.
struct AwsProfile {
  std::string name;
  std::map<std::string, std::string> settings;
  std::string keysFrom; ///< the file that holds its access key, or empty
  bool found = false;

  std::string get(const std::string &setting) const;
};

/// \param name as of --profile; empty: AWS_PROFILE, AWS_DEFAULT_PROFILE,
///   "default". Files: AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, ~/.aws.
/// \throws Error(Usage) if a profile that was named is in neither file.
AwsProfile readAwsProfile(const std::string &name,
                          const AwsEnvironment &environment);

} // namespace llamarun
