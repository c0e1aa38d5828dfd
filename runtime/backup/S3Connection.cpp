#include "runtime/backup/S3Connection.h"

#include "runtime/backup/CredentialChain.h"
#include "runtime/backup/Curl.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <charconv>
#include <cstdlib>
#include <random>

namespace llamarun {

AwsEnvironment awsEnvironment() {
  return [](const char *name) {
    const char *value = std::getenv(name);
    return std::string(value ? value : "");
  };
}

S3Settings resolveS3Settings(S3Settings settings,
                             const AwsEnvironment &environment) {
  AwsProfile profile = readAwsProfile(settings.profile, environment);
  auto choose = [&](std::string &value,
                    std::initializer_list<const char *> variables,
                    const char *setting) {
    for (const char *variable : variables)
      if (value.empty())
        value = environment(variable);
    if (value.empty())
      value = profile.get(setting);
  };
  if (environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true")
    choose(settings.endpointUrl, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"},
           "endpoint_url");
  makeS3Endpoint(settings.endpointUrl);
  choose(settings.region, {"AWS_REGION", "AWS_DEFAULT_REGION"}, "region");
  if (settings.region.empty())
    settings.region = "us-east-1";
  if (settings.region.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
          "0123456789-_") != settings.region.npos)
    fail(ExitCode::Usage, quoteName(settings.region), " is no region's name");
  choose(settings.caBundle, {"AWS_CA_BUNDLE"}, "ca_bundle");
  if (!settings.maxAttempts) {
    std::string text;
    choose(text, {"AWS_MAX_ATTEMPTS"}, "max_attempts");
    settings.maxAttempts = RetryOptions().attempts;
    auto end = text.data() + text.size();
    if (auto [at, error] =
            std::from_chars(text.data(), end, settings.maxAttempts);
        !text.empty() &&
        (error != std::errc() || at != end || !settings.maxAttempts))
      fail(ExitCode::Usage, "AWS_MAX_ATTEMPTS: ", quoteName(text),
           " is no number of attempts");
  }
  return settings;
}

struct S3Connection::Parts {
  CurlTransport transport;
  SystemClock clock;
  CredentialChain credentials;
  S3Client client;

  Parts(const S3Settings &settings, CurlOptions curl, S3Options options,
        std::function<double()> random)
      : transport(curl), clock(curl.stop),
        credentials(settings.profile, settings.region, awsEnvironment(),
                    transport),
        client(std::move(options), transport, credentials, clock,
               std::move(random)) {}
};

S3Connection::S3Connection(const std::string &bucket,
                           const S3Settings &settings,
                           std::function<void(const std::string &)> note,
                           std::function<bool()> stop) {
  CurlOptions curl;
  curl.connectSeconds = settings.connectTimeout;
  curl.stallSeconds = settings.readTimeout;
  curl.caBundle = settings.caBundle;
  curl.stop = stop;
  S3Options options;
  options.bucket = bucket;
  options.endpoint = makeS3Endpoint(settings.endpointUrl);
  options.region = settings.region;
  options.retry.attempts = settings.maxAttempts;
  options.retry.first = settings.backoff;
  options.note = std::move(note);
  auto random = [engine = std::mt19937_64(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>()(engine);
  };
  parts = std::make_unique<Parts>(settings, curl, options, random);
}

S3Connection::~S3Connection() = default;

S3Client &S3Connection::client() { return parts->client; }

} // namespace llamarun
