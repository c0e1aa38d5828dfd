//===- S3Send.cpp - One request, until it is answered ---------------------===//
#include "runtime/backup/S3Client.h"
#include "runtime/backup/Sigv4.h"
#include "runtime/backup/Xml.h"
#include "runtime/io/Manifest.h"
#include "runtime/io/QuoteName.h"

#include <cstdio>
#include <cstdlib>

namespace llamarun {

S3Client::S3Client(S3Options options, HttpTransport &transport,
                   CredentialSource &credentials, Clock &clock,
                   std::function<double()> random)
    : options(std::move(options)), transport(transport),
      credentials(credentials), ownClock(clock),
      policy(this->options.retry, std::move(random)) {}

Time S3Client::now() { return ownClock.now() + ahead; }

HttpRequest S3Client::build(const Call &call) {
  HttpRequest request;
  request.method = call.method;
  request.url = options.endpoint.url(options.region, options.bucket, call.key,
                                     call.query);
  request.headers = call.headers;
  request.body = call.body;
  const Credentials &who = credentials.at(now());
  source = who.source;
  signRequest(request, who, options.region, now(),
              call.sha256.empty() ? sha256Of("") : call.sha256);
  return request;
}

S3Attempt S3Client::attemptOf(const Call &call) const {
  return {call.action,
          "s3://" + options.bucket + (call.key.empty() ? "" : "/" + call.key),
          options.bucket,
          options.endpoint.host(options.region),
          options.region,
          source};
}

bool S3Client::correct(const S3Fault &fault, const HttpResponse &response) {
  // Each once in a request: what does not help is an error.
  if (isElsewhere(fault) && !moved && !fault.region.empty() &&
      fault.region != options.region &&
      fault.region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") ==
          fault.region.npos) {
    if (options.note)
      options.note("bucket " + quoteName(options.bucket) + " is in region " +
                   fault.region + ", not " + options.region);
    options.region = fault.region;
    return moved = true;
  }
  if (isSkewed(fault) && !adjusted) {
    if (auto date = parseHttpDate(response.header("date"))) {
      auto ours = *date - ownClock.now();
      // A HEAD that is refused for another reason.
      if (std::chrono::abs(ours - ahead) > std::chrono::minutes(1)) {
        ahead = ours;
        if (options.note)
          options.note("this machine's clock is " +
                       std::to_string(std::abs(ours.count())) + " s " +
                       (ours.count() > 0 ? "behind" : "ahead of") +
                       " the server's, which counts");
        return adjusted = true;
      }
    }
  }
  if (isExpired(fault) && !renewed && credentials.renew())
    return renewed = true;
  return false;
}

void S3Client::pause(unsigned failures, std::optional<double> asked,
                     const std::string &why, ExitCode code) {
  auto seconds = policy.pause(failures, asked);
  if (!seconds)
    fail(code, why, " (after ", failures,
         failures == 1 ? " attempt)" : " attempts)");
  if (options.note) {
    char text[64];
    std::snprintf(text, sizeof text, "; attempt %u of %u in %.1f s",
                  failures + 1, policy.attempts(), *seconds);
    options.note(why + text);
  }
  ownClock.wait(*seconds);
}

HttpResponse S3Client::send(const Call &call) {
  moved = renewed = adjusted = false;
  for (unsigned failures = 0;;) {
    HttpRequest request = build(call);
    HttpResponse response;
    try {
      response = transport.send(request);
    } catch (const TransportError &error) {
      std::string why = attemptOf(call).what + ": " + error.what();
      if (!error.mayPass)
        fail(ExitCode::Storage, why);
      pause(++failures, std::nullopt, why, ExitCode::Storage);
      continue;
    }
    bool good = response.status == 200 || response.status == 206;
    if (good && call.size && response.body.size() == call.size)
      return response; // an object's bytes, whatever they look like
    S3Fault fault = faultOf(response);
    // What came through, but not as it was sent.
    if (fault.code.empty() && call.size)
      fault.code = "TruncatedAnswer";
    if (fault.code.empty() && call.document) {
      try {
        parseXml(response.body, "the answer");
      } catch (const Error &) {
        fault.code = "TruncatedAnswer";
      }
    }
    if (fault.code.empty())
      return response;
    if (correct(fault, response))
      continue;
    std::string why = explain(fault, attemptOf(call));
    if (!mayPass(fault))
      throw S3Error(fault, why);
    ++failures;
    if (failures >= policy.attempts())
      throw S3Error(fault, why + " (after " + std::to_string(failures) +
                               (failures == 1 ? " attempt)" : " attempts)"));
    pause(failures, parseRetryAfter(response.header("retry-after"), now()), why,
          ExitCode::Storage);
  }
}

} // namespace llamarun
