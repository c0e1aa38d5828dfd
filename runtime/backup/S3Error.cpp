#include "runtime/backup/S3Error.h"

#include "runtime/backup/Xml.h"
#include "runtime/io/QuoteName.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace llamarun {

static bool isOneOf(const std::string &code,
                    std::initializer_list<std::string_view> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

S3Fault faultOf(const HttpResponse &response) {
  S3Fault fault;
  fault.status = response.status;
  fault.region = response.header("x-amz-bucket-region");
  bool good = response.status >= 200 && response.status < 300;
  std::string_view body = response.body;
  // Complete sends white space while it works, then the document.
  bool isError = body.substr(0, 1024).find("<Error") != body.npos;
  if (good && !isError)
    return fault;
  try {
    XmlNode document = parseXml(body, "the answer");
    if (document.name == "Error") {
      fault.code = document.text("Code");
      fault.message = document.text("Message");
      if (fault.region.empty())
        fault.region = document.text("Region");
    } else if (good) {
      return fault;
    }
  } catch (const Error &) {
    if (good) // an object that only begins like that, or is cut off
      return fault;
  }
  if (fault.code.empty())
    fault.code =
        good ? "InternalError" : "status " + std::to_string(response.status);
  return fault;
}

bool mayPass(const S3Fault &fault) {
  switch (fault.status) {
  case 408:
  case 429:
  case 500:
  case 502:
  case 503:
  case 504:
    return true;
  default:
    return isOneOf(fault.code,
                   {"InternalError", "InternalFailure", "ServiceUnavailable",
                    "SlowDown", "RequestTimeout", "RequestTimeoutException",
                    "Throttling", "ThrottlingException", "ThrottledException",
                    "RequestThrottled", "RequestThrottledException",
                    "TooManyRequestsException", "BandwidthLimitExceeded",
                    "OperationAborted", "BadDigest",
                    "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
                    "IncompleteBody", "TruncatedAnswer"});
  }
}

bool isExpired(const S3Fault &fault) {
  return isOneOf(fault.code, {"ExpiredToken", "ExpiredTokenException",
                              "TokenRefreshRequired", "InvalidToken"});
}

bool isSkewed(const S3Fault &fault) {
  return isOneOf(fault.code, {"RequestTimeTooSkewed", "RequestExpired",
                              "RequestInTheFuture"}) ||
         // HEAD has no body to say it.
         (fault.status == 403 && fault.code == "status 403");
}

bool isElsewhere(const S3Fault &fault) {
  return isOneOf(fault.code,
                 {"PermanentRedirect", "AuthorizationHeaderMalformed",
                  "IllegalLocationConstraintException"}) ||
         fault.status == 301 || fault.status == 307;
}

std::string explain(const S3Fault &fault, const S3Attempt &attempt) {
  const std::string &code = fault.code;
  if (code == "NoSuchBucket")
    return "bucket " + quoteName(attempt.bucket) + " does not exist at " +
           attempt.host;
  if (code == "InvalidAccessKeyId")
    return attempt.host + " does not know the access key of " + attempt.source;
  if (code == "SignatureDoesNotMatch")
    return attempt.host + " refuses the signature: the secret key of " +
           attempt.source + " does not belong to its access key";
  if (isExpired(fault))
    return "the session token of " + attempt.source +
           " has expired or is not valid (" + code +
           "), and there is no newer "
           "one";
  if (isElsewhere(fault))
    return "bucket " + quoteName(attempt.bucket) + " is not in region " +
           attempt.region +
           (fault.region.empty() ? ": give its --region"
                                 : " but in " + quoteName(fault.region)) +
           " (" + code + ")";
  if (code == "RequestTimeTooSkewed")
    return attempt.host + " finds this machine's clock wrong (" + code + ")";
  if (code == "AccessDenied" || code == "AllAccessDisabled" ||
      (fault.status == 403 && code.starts_with("status ")))
    return "the credentials of " + attempt.source + " may not " +
           attempt.action + " on " + attempt.what + " (" + code + ")";
  std::string quoted = quoteName(code);
  return attempt.what + ": " + attempt.action + ": " +
         quoted.substr(1, quoted.size() - 2) +
         (fault.message.empty() ? "" : ": " + quoteName(fault.message));
}

} // namespace llamarun
