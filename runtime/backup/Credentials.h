//===- Credentials.h - Who we are to S3 ------------------------*- C++ -*-===//
#pragma once

#include "runtime/backup/Secret.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace llamarun {

using Time = std::chrono::sys_seconds;

struct Credentials {
  std::string accessKey; ///< its id, which is no secret
  Secret secretKey;
  Secret sessionToken;        ///< of temporary credentials
  std::optional<Time> expiry; ///< theirs
  std::string source;         ///< for messages: where they come from

  bool sameAs(const Credentials &other) const {
    return accessKey == other.accessKey && secretKey == other.secretKey &&
           sessionToken == other.sessionToken;
  }
};

/// Where credentials are looked for, anew each time.
class CredentialSource {
public:
  virtual ~CredentialSource() = default;
  /// \throws Error(Storage) that says where was looked, Error(BadInput) naming
  /// a file and line.
  virtual Credentials find() = 0;
};

/// Keeps what a source found until it is about to expire.
class CredentialCache {
public:
  explicit CredentialCache(CredentialSource &source) : source(source) {}
  /// \param now as the server's clock says. Those that are looked for early and
  ///   not found are used while they last.
  const Credentials &at(Time now);
  /// After the server refused them as expired. \returns whether there are
  /// others now.
  bool renew();

private:
  /// Before the end, as the AWS tools do.
  static constexpr std::chrono::minutes kEarly{5};
  CredentialSource &source;
  std::optional<Credentials> current;
};

} // namespace llamarun
