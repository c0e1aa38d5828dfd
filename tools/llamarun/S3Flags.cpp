#include "tools/llamarun/S3Flags.h"

namespace llamarun {

void S3Flags::addTo(CLI::App &app) {
  auto add = [&](const char *flag, auto &value, const char *help) {
    return app.add_option(flag, value, help)->group("S3");
  };
  add("--endpoint-url", given.endpointUrl,
      "An S3-compatible service instead of Amazon's, as in "
      "http://127.0.0.1:9000; default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, "
      "the profile's");
  add("--region", given.region,
      "Of the bucket; default: AWS_REGION, AWS_DEFAULT_REGION, the profile's, "
      "us-east-1");
  add("--profile", given.profile,
      "Of ~/.aws/credentials and ~/.aws/config; default: AWS_PROFILE");
  add("--ca-bundle", given.caBundle,
      "PEM file of certificates to trust instead of the system's; default: "
      "AWS_CA_BUNDLE");
  add("--max-attempts", given.maxAttempts,
      "Of each request; default: AWS_MAX_ATTEMPTS, 5")
      ->check(CLI::Range(1, 100));
  add("--connect-timeout", given.connectTimeout, "Seconds")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  add("--read-timeout", given.readTimeout,
      "Seconds without a byte after which a connection is given up")
      ->check(CLI::Range(1u, 3600u))
      ->capture_default_str();
  add("--retry-base", given.backoff,
      "Seconds that the first pause before another attempt is at most; it "
      "doubles up to 20")
      ->check(CLI::Range(0.001, 20.0))
      ->capture_default_str();
}

} // namespace llamarun
