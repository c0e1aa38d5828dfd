//===- CredentialChain.h - The order of the AWS tools ----------*- C++ -*-===//
#pragma once

#include "runtime/backup/AwsProfile.h"
#include "runtime/backup/Credentials.h"
#include "runtime/backup/Http.h"

#include <optional>
#include <string>

namespace llamarun {

/// Looks, as the AWS command line does, for
///   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (not if
///      --profile was given);
///   2. a web identity: AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, or the
///      profile's, exchanged at STS;
///   3. the profile's keys in ~/.aws/credentials, then ~/.aws/config, or its
///      credential_process;
///   4. a container's: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI;
///   5. the role of the EC2 instance, by metadata service version 2.
/// Profiles that assume a role or sign in by SSO are refused with the command
/// that makes credentials of them.
class CredentialChain : public CredentialSource {
public:
  CredentialChain(std::string profile, std::string region,
                  AwsEnvironment environment, HttpTransport &transport);
  Credentials find() override;

private:
  std::optional<Credentials> fromEnvironment() const;
  std::optional<Credentials> fromWebIdentity(const AwsProfile &profile);
  std::optional<Credentials> fromProfile(const AwsProfile &profile) const;
  std::optional<Credentials> fromContainer();
  std::optional<Credentials> fromInstance();
  /// An answer of 200, or why not.
  HttpResponse ask(HttpRequest request, const std::string &what);

  std::string profileName, region;
  AwsEnvironment environment;
  HttpTransport &transport;
};

/// {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken",
/// "Expiration"}: as containers, instances and credential_process say it.
/// \throws Error(BadInput) naming `source` and the member.
Credentials credentialsOfJson(const std::string &text,
                              const std::string &source);

/// "2026-11-23T05:00:00Z", with or without a fraction or +00:00.
std::optional<Time> parseTimestamp(const std::string &text);

} // namespace llamarun
