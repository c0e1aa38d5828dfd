#include "runtime/backup/CredentialChain.h"

#include "runtime/io/MappedFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace llamarun {

std::optional<Time> parseTimestamp(const std::string &text) {
  std::tm parts{};
  const char *rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!rest)
    return std::nullopt;
  if (*rest == '.')
    rest += 1 + std::strspn(rest + 1, "0123456789");
  std::string zone = rest;
  if (zone != "Z" && zone != "+00:00" && zone != "UTC")
    return std::nullopt;
  return Time(std::chrono::seconds(::timegm(&parts)));
}

Credentials credentialsOfJson(const std::string &text,
                              const std::string &source) {
  auto document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object())
    fail(ExitCode::BadInput, source, ": is no JSON object with credentials");
  auto member = [&](const char *name) {
    auto at = document.find(name);
    return at != document.end() && at->is_string() ? at->get<std::string>()
                                                   : std::string();
  };
  if (auto code = member("Code"); !code.empty() && code != "Success")
    fail(ExitCode::Storage, source, ": ", quoteName(code));
  Credentials found;
  found.accessKey = member("AccessKeyId");
  found.secretKey = Secret(member("SecretAccessKey"));
  auto token = member("Token");
  found.sessionToken = Secret(token.empty() ? member("SessionToken") : token);
  found.source = source;
  for (auto [name, missing] :
       {std::pair("AccessKeyId", found.accessKey.empty()),
        std::pair("SecretAccessKey", found.secretKey.empty())})
    if (missing)
      fail(ExitCode::BadInput, source, ": lacks ", name);
  if (auto when = member("Expiration"); !when.empty()) {
    found.expiry = parseTimestamp(when);
    if (!found.expiry)
      fail(ExitCode::BadInput, source, ": Expiration is no time");
  }
  return found;
}

CredentialChain::CredentialChain(std::string profile, std::string region,
                                 AwsEnvironment environment,
                                 HttpTransport &transport)
    : profileName(std::move(profile)), region(std::move(region)),
      environment(std::move(environment)), transport(transport) {}

Credentials CredentialChain::find() {
  if (profileName.empty())
    if (auto found = fromEnvironment())
      return *found;
  AwsProfile profile = readAwsProfile(profileName, environment);
  if (auto found = fromWebIdentity(profile))
    return *found;
  if (auto found = fromProfile(profile))
    return *found;
  if (auto found = fromContainer())
    return *found;
  if (auto found = fromInstance())
    return *found;
  fail(ExitCode::Storage,
       "no credentials for S3: looked for AWS_ACCESS_KEY_ID and "
       "AWS_SECRET_ACCESS_KEY, profile ",
       quoteName(profile.name),
       " in ~/.aws/credentials and ~/.aws/config, a container's and an EC2 "
       "instance's role");
}

std::optional<Credentials> CredentialChain::fromEnvironment() const {
  Credentials found;
  found.accessKey = environment("AWS_ACCESS_KEY_ID");
  found.secretKey = Secret(environment("AWS_SECRET_ACCESS_KEY"));
  if (found.accessKey.empty() && found.secretKey.empty())
    return std::nullopt;
  for (auto [name, missing] :
       {std::pair("AWS_ACCESS_KEY_ID", found.accessKey.empty()),
        std::pair("AWS_SECRET_ACCESS_KEY", found.secretKey.empty())})
    if (missing)
      fail(ExitCode::Usage, "the environment lacks ", name,
           ", which belongs to the other half of the key");
  found.sessionToken = Secret(environment("AWS_SESSION_TOKEN"));
  found.source = "the environment";
  return found;
}

/// What a command prints, which may be a secret: never shown.
static std::string outputOf(const std::string &command,
                            const std::string &source) {
  std::FILE *pipe = ::popen(command.c_str(), "re");
  if (!pipe)
    fail(ExitCode::Storage, source, ": cannot be started");
  std::string text;
  std::array<char, 4096> buffer;
  for (std::size_t count;
       (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    if (text.append(buffer.data(), count).size() > (1u << 20))
      break;
  int status = ::pclose(pipe);
  if (status != 0)
    fail(ExitCode::Storage, source, ": failed (status ", status, ")");
  return text;
}

std::optional<Credentials>
CredentialChain::fromProfile(const AwsProfile &profile) const {
  std::string called = "profile " + quoteName(profile.name);
  if (!profile.keysFrom.empty()) {
    Credentials found;
    found.accessKey = profile.get("aws_access_key_id");
    found.secretKey = Secret(profile.get("aws_secret_access_key"));
    found.sessionToken = Secret(profile.get("aws_session_token"));
    found.source = called + " of " + profile.keysFrom;
    if (found.accessKey.empty() || found.secretKey.empty())
      fail(ExitCode::BadInput, found.source,
           ": lacks aws_access_key_id or aws_secret_access_key");
    return found;
  }
  if (auto command = profile.get("credential_process"); !command.empty()) {
    std::string source = "credential_process of " + called;
    return credentialsOfJson(outputOf(command, source), source);
  }
  for (const char *setting : {"role_arn", "sso_session", "sso_start_url"})
    if (!profile.get(setting).empty())
      fail(ExitCode::Usage, called, " has ", setting,
           ", which llamarun does not follow itself: eval \"$(aws configure "
           "export-credentials --format env --profile ",
           profile.name,
           ")\", or set credential_process to aws configure "
           "export-credentials --profile ",
           profile.name);
  return std::nullopt;
}

} // namespace llamarun
