//===- Sigv4.h - AWS Signature Version 4 -----------------------*- C++ -*-===//
//
// As "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API
// Reference says it: the path is encoded once, the payload's SHA-256 is signed.
// On OpenSSL; Debian 12's libcurl has a signer that predates fixes for S3.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/backup/Credentials.h"
#include "runtime/backup/Http.h"

#include <string>
#include <string_view>

namespace llamarun {

/// All but A-Z a-z 0-9 - . _ ~ as %XX, and `kept`.
std::string percentEncode(std::string_view text, std::string_view kept = "");

/// "20130524T000000Z"
std::string amzDate(Time time);

/// The canonical request: method, path, sorted query, sorted headers (all of
/// the request's and the URL's host), their names, payload hash.
std::string canonicalRequest(const HttpRequest &request,
                             const std::string &payloadHash);

/// Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and
/// Authorization. \param payloadHash SHA-256 of the body in hexadecimal.
void signRequest(HttpRequest &request, const Credentials &credentials,
                 const std::string &region, Time time,
                 const std::string &payloadHash,
                 const std::string &service = "s3");

/// Hexadecimal digits to base64, as x-amz-checksum-sha256 wants a digest.
std::string base64OfHex(std::string_view hex);

} // namespace llamarun
