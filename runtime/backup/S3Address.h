//===- S3Address.h - Buckets, keys and their URLs --------------*- C++ -*-===//
#pragma once

#include <string>

namespace llamarun {

/// s3://bucket/prefix
struct S3Location {
  std::string bucket;
  std::string prefix; ///< without slashes at its ends; may be empty

  std::string text() const;
  /// A key below the prefix.
  std::string key(const std::string &rest) const;
};

/// \throws Error(Usage) for what is no "s3://bucket[/prefix]".
S3Location parseS3Location(const std::string &text);

/// \throws Error(Usage) naming what is wrong with a bucket's name or a prefix.
S3Location makeS3Location(const std::string &bucket, const std::string &prefix);

/// How a bucket is reached.
struct S3Endpoint {
  std::string base; ///< "https://host[:port][/path]" of --endpoint-url, or
                    ///< empty: Amazon's, by the region

  /// Of an object, or of the bucket if `key` is empty. Amazon's buckets are in
  /// the host's name, unless a dot there would break the certificate; others'
  /// are in the path. \param query already encoded.
  std::string url(const std::string &region, const std::string &bucket,
                  const std::string &key, const std::string &query = "") const;
  /// For messages.
  std::string host(const std::string &region) const;
};

/// \throws Error(Usage) if `url` is not http(s)://host[:port][/path].
S3Endpoint makeS3Endpoint(std::string url);

} // namespace llamarun
