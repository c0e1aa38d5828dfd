//===- S3Connection.h - A client of S3 as a user asks for it ---*- C++ -*-===//
#pragma once

#include "runtime/backup/AwsProfile.h"
#include "runtime/backup/S3Client.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace llamarun {

/// Of the command line; what is empty or 0 comes from the variables and the
/// profile's settings that the AWS tools read.
struct S3Settings {
  std::string endpointUrl; ///< AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL,
                           ///< endpoint_url
  std::string region;   ///< AWS_REGION, AWS_DEFAULT_REGION, region; us-east-1
  std::string profile;  ///< AWS_PROFILE
  std::string caBundle; ///< AWS_CA_BUNDLE, ca_bundle
  unsigned maxAttempts = 0; ///< AWS_MAX_ATTEMPTS, max_attempts; 5
  double connectTimeout = 10;
  unsigned readTimeout = 60; ///< seconds without a byte
  double backoff = 1;        ///< RetryOptions::first
};

/// The variable or setting that counts, in the order above. Numbers are
/// checked, the endpoint is well formed. \throws Error(Usage).
S3Settings resolveS3Settings(S3Settings settings,
                             const AwsEnvironment &environment);

/// Everything a client needs, alive as long as this.
class S3Connection {
public:
  /// Sends nothing yet. \param note what the user may want to know.
  /// \param stop asked while it waits or transfers; true ends it with Stopped.
  S3Connection(const std::string &bucket, const S3Settings &settings,
               std::function<void(const std::string &)> note,
               std::function<bool()> stop);
  ~S3Connection();
  S3Client &client();

private:
  struct Parts;
  std::unique_ptr<Parts> parts;
};

/// Of this process.
AwsEnvironment awsEnvironment();

} // namespace llamarun
