//===- MetadataCredentials.cpp - Roles of pods, containers, instances -----===//
#include "runtime/backup/CredentialChain.h"
#include "runtime/backup/Sigv4.h"
#include "runtime/backup/Xml.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

namespace llamarun {

static std::string contentOf(const std::string &path) {
  std::string text(MappedFile::open(path).text());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  return text;
}

HttpResponse CredentialChain::ask(HttpRequest request,
                                  const std::string &what) {
  // A service that is there may be busy; one that is not must not cost much.
  for (int attempt = 1;; ++attempt) {
    try {
      HttpResponse answer = transport.send(request);
      if (answer.status == 200)
        return answer;
      if (attempt == 3 || (answer.status < 500 && answer.status != 429))
        fail(ExitCode::Storage, "credentials of ", what, ": status ",
             answer.status);
    } catch (const TransportError &error) {
      if (attempt == 3 || !error.mayPass)
        fail(ExitCode::Storage, "credentials of ", what, ": ", error.what());
    }
    ::usleep(100'000u << attempt);
  }
}

std::optional<Credentials>
CredentialChain::fromWebIdentity(const AwsProfile &profile) {
  auto file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
  auto role = environment("AWS_ROLE_ARN");
  auto session = environment("AWS_ROLE_SESSION_NAME");
  if (!profileName.empty() || file.empty()) {
    file = profile.get("web_identity_token_file");
    role = profile.get("role_arn");
    session = profile.get("role_session_name");
  }
  if (file.empty() || role.empty())
    return std::nullopt;
  auto endpoint = environment("AWS_ENDPOINT_URL_STS");
  if (endpoint.empty())
    endpoint =
        "https://sts." + (region.empty() ? "us-east-1" : region) +
        (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
  std::string form =
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" +
      percentEncode(role) + "&RoleSessionName=" +
      percentEncode(session.empty() ? "llamarun" : session) +
      "&WebIdentityToken=" + percentEncode(contentOf(file));
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint + "/";
  request.header("Content-Type", "application/x-www-form-urlencoded");
  request.body = std::as_bytes(std::span(form));
  std::string source = "web identity " + role;
  auto answer = ask(std::move(request), source);
  std::fill(form.begin(), form.end(), '\0');
  XmlNode found = parseXml(answer.body, source)
                      .child("AssumeRoleWithWebIdentityResult")
                      .child("Credentials");
  Credentials credentials;
  credentials.accessKey = found.text("AccessKeyId");
  credentials.secretKey = Secret(found.text("SecretAccessKey"));
  credentials.sessionToken = Secret(found.text("SessionToken"));
  credentials.expiry = parseTimestamp(found.text("Expiration"));
  credentials.source = source;
  if (credentials.accessKey.empty() || credentials.secretKey.empty())
    fail(ExitCode::Storage, source, ": the answer has no credentials");
  return credentials;
}

/// A token must not go to just any host in clear text.
static bool mayHoldToken(const std::string &url) {
  if (url.starts_with("https://"))
    return true;
  for (const char *host : {"http://127.", "http://localhost", "http://[::1]",
                           "http://169.254.170.2", "http://169.254.170.23",
                           "http://[fd00:ec2::23]"}) {
    std::string_view rest(url);
    if (!rest.starts_with(host))
      continue;
    rest.remove_prefix(std::string_view(host).size());
    if (std::string_view(host) == "http://127.") {
      rest.remove_prefix(
          std::min(rest.size(), rest.find_first_not_of("0123456789.")));
    }
    if (rest.empty() || rest.front() == '/' || rest.front() == ':')
      return true;
  }
  return false;
}

std::optional<Credentials> CredentialChain::fromContainer() {
  auto relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  auto url = relative.empty()
                 ? environment("AWS_CONTAINER_CREDENTIALS_FULL_URI")
                 : "http://169.254.170.2" + relative;
  if (url.empty())
    return std::nullopt;
  if (!mayHoldToken(url))
    fail(ExitCode::Usage, "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https "
                          "nor of this host or the container's agent");
  HttpRequest request;
  request.url = url;
  request.link = true;
  request.linkSeconds = 2;
  auto token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (auto file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
      !file.empty())
    token = contentOf(file);
  if (token.find_first_of("\r\n") != token.npos)
    fail(ExitCode::BadInput, "the container's authorization token has a line "
                             "break");
  if (!token.empty())
    request.header("Authorization", token);
  return credentialsOfJson(ask(std::move(request), "the container").body,
                           "the container's role");
}

std::optional<Credentials> CredentialChain::fromInstance() {
  auto disabled = environment("AWS_EC2_METADATA_DISABLED");
  std::ranges::transform(disabled, disabled.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  if (disabled == "true")
    return std::nullopt;
  auto base = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (base.empty())
    base = "http://169.254.169.254";
  while (base.ends_with('/'))
    base.pop_back();
  HttpRequest request;
  request.link = true;
  if (auto patience = environment("AWS_METADATA_SERVICE_TIMEOUT");
      !patience.empty())
    request.linkSeconds = std::clamp(std::atof(patience.c_str()), 0.1, 60.0);
  HttpRequest session = request;
  session.method = "PUT";
  session.url = base + "/latest/api/token";
  session.header("X-aws-ec2-metadata-token-ttl-seconds", "21600");
  HttpResponse token;
  try {
    // Once: off EC2 nobody answers.
    token = transport.send(session);
  } catch (const TransportError &) {
    return std::nullopt;
  }
  if (token.status != 200)
    return std::nullopt;
  request.header("X-aws-ec2-metadata-token", token.body);
  request.url = base + "/latest/meta-data/iam/security-credentials/";
  HttpResponse roles = transport.send(request);
  std::string role = roles.body.substr(0, roles.body.find('\n'));
  if (roles.status != 200 || role.empty())
    return std::nullopt; // an instance without a role
  request.url += percentEncode(role);
  std::string source = "the instance's role " + quoteName(role);
  return credentialsOfJson(ask(request, source).body, source);
}

} // namespace llamarun
