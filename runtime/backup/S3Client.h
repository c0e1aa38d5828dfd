//===- S3Client.h - The requests a backup needs ----------------*- C++ -*-===//
//
// Amazon S3 API Reference, version 2006-03-01. Every body that is sent is
// signed with its SHA-256, so the service refuses what was damaged on the way,
// and objects keep theirs as x-amz-checksum-sha256.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/backup/Credentials.h"
#include "runtime/backup/Http.h"
#include "runtime/backup/Retry.h"
#include "runtime/backup/S3Address.h"
#include "runtime/backup/S3Error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

struct S3Object {
  std::string key;
  std::uint64_t size = 0;
};

struct S3Upload {
  std::string key, id;
};

struct S3Part {
  unsigned number = 0; ///< from 1
  std::string etag;
  std::string sha256; ///< of the part, base64
};

struct S3Options {
  std::string bucket;
  S3Endpoint endpoint;
  std::string region;
  RetryOptions retry;
  /// What the user may want to know: an attempt that failed, a region.
  std::function<void(const std::string &)> note;
};

/// Each call tries until it succeeds, is refused, or has been tried as often as
/// the policy says. \throws S3Error, Error(Storage) for a network that stays
/// down, Stopped, and what the credentials throw. One thread at a time.
class S3Client {
public:
  S3Client(S3Options options, HttpTransport &transport,
           CredentialSource &credentials, Clock &clock,
           std::function<double()> random);

  /// \param sha256 of `bytes`, in hexadecimal.
  void put(const std::string &key, std::span<const std::byte> bytes,
           const std::string &sha256);
  /// `size` bytes from `offset`; all of it if `size` is 0.
  std::string get(const std::string &key, std::uint64_t offset = 0,
                  std::uint64_t size = 0);
  /// Its size, or nothing if there is none.
  std::optional<std::uint64_t> sizeOf(const std::string &key);
  /// All keys that begin with `prefix`, in their order.
  std::vector<S3Object> list(const std::string &prefix);
  void remove(const std::string &key);

  /// \returns the upload's id.
  std::string createUpload(const std::string &key);
  S3Part uploadPart(const S3Upload &upload, unsigned number,
                    std::span<const std::byte> bytes,
                    const std::string &sha256);
  /// \param size of the whole, to know it again if the answer was lost.
  void completeUpload(const S3Upload &upload, const std::vector<S3Part> &parts,
                      std::uint64_t size);
  void abortUpload(const S3Upload &upload);
  /// Uploads that are not complete, of keys that begin with `prefix`.
  std::vector<S3Upload> uploads(const std::string &prefix);

  /// As the server's clock says.
  Time now();
  Clock &clock() { return ownClock; }

private:
  struct Call {
    std::string action; ///< "s3:PutObject"
    std::string method;
    std::string key, query;
    std::span<const std::byte> body;
    std::string sha256; ///< of the body; empty: there is none
    std::vector<std::pair<std::string, std::string>> headers;
    std::uint64_t size = 0; ///< bytes that the answer must have; 0: any
    bool document = false;  ///< the answer must be whole XML
  };
  HttpResponse send(const Call &call);
  HttpRequest build(const Call &call);
  /// Changes region, clock or credentials where that is what `fault` asks for.
  bool correct(const S3Fault &fault, const HttpResponse &response);
  S3Attempt attemptOf(const Call &call) const;
  void pause(unsigned failures, std::optional<double> asked,
             const std::string &why, ExitCode code);

  S3Options options;
  HttpTransport &transport;
  CredentialCache credentials;
  Clock &ownClock;
  RetryPolicy policy;
  std::chrono::seconds ahead{0}; ///< of the server's clock before ours
  bool moved = false, renewed = false, adjusted = false;
  std::string source; ///< of the credentials that were used last
};

} // namespace llamarun
