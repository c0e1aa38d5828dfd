//===- S3Error.h - What S3 refuses, and what to make of it -----*- C++ -*-===//
#pragma once

#include "runtime/backup/Http.h"
#include "runtime/support/Error.h"

#include <string>

namespace llamarun {

/// Of an answer: <Error><Code>, <Message>, <Region>; or of its status, where
/// there is no body (HEAD).
struct S3Fault {
  int status = 0;
  std::string code, message, region;
};

/// What `response` says, also under 200 (CompleteMultipartUpload may answer so
/// with an error in the body); no code if it is no error.
S3Fault faultOf(const HttpResponse &response);

/// The next attempt may do: the service's trouble, or bytes that were damaged
/// on their way to it.
bool mayPass(const S3Fault &fault);
bool isExpired(const S3Fault &fault);
bool isSkewed(const S3Fault &fault);
/// The bucket lives elsewhere.
bool isElsewhere(const S3Fault &fault);

/// An error of S3 that ends a request.
class S3Error : public Error {
public:
  S3Error(S3Fault fault, const std::string &message)
      : Error(ExitCode::Storage, message), fault(std::move(fault)) {}
  S3Fault fault;
};

/// What the message of an S3Error needs.
struct S3Attempt {
  std::string action; ///< as in a policy: "s3:PutObject"
  std::string what;   ///< "s3://bucket/key"
  std::string bucket, host, region, source;
};

/// One sentence: what was tried, why it failed, what to do. Of the answer's
/// body it holds code and message alone: others repeat tokens.
std::string explain(const S3Fault &fault, const S3Attempt &attempt);

} // namespace llamarun
