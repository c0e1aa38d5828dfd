#include "runtime/backup/S3Address.h"

#include "runtime/backup/Sigv4.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

namespace llamarun {

std::string S3Location::text() const {
  return "s3://" + bucket + (prefix.empty() ? "" : "/" + prefix);
}

std::string S3Location::key(const std::string &rest) const {
  return prefix.empty() ? rest : prefix + "/" + rest;
}

S3Location makeS3Location(const std::string &bucket,
                          const std::string &prefix) {
  constexpr char kAllowed[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  if (bucket.size() < 3 || bucket.size() > 255 ||
      bucket.find_first_not_of(kAllowed) != bucket.npos ||
      bucket.find("..") != bucket.npos || bucket.front() == '.')
    fail(ExitCode::Usage, quoteName(bucket), " is no bucket's name");
  S3Location location{bucket, prefix};
  while (location.prefix.starts_with('/'))
    location.prefix.erase(0, 1);
  while (location.prefix.ends_with('/'))
    location.prefix.pop_back();
  std::string around = "/" + location.prefix + "/";
  bool bad = location.prefix.size() > 900;
  for (const char *segment : {"//", "/./", "/../"})
    bad |= !location.prefix.empty() && around.find(segment) != around.npos;
  for (unsigned char c : location.prefix)
    bad |= c < 0x20 || c == 0x7f;
  if (bad)
    fail(ExitCode::Usage, "prefix ", quoteName(prefix),
         ": at most 900 bytes, no empty part, no '.' or '..', no control "
         "character");
  return location;
}

S3Location parseS3Location(const std::string &text) {
  constexpr std::string_view kScheme = "s3://";
  if (!text.starts_with(kScheme))
    fail(ExitCode::Usage, quoteName(text), " is not s3://bucket[/prefix]");
  std::string rest = text.substr(kScheme.size());
  auto slash = rest.find('/');
  return makeS3Location(rest.substr(0, slash),
                        slash == rest.npos ? "" : rest.substr(slash + 1));
}

S3Endpoint makeS3Endpoint(std::string url) {
  if (url.empty())
    return {};
  while (url.ends_with('/'))
    url.pop_back();
  auto begin = url.find("://");
  std::string scheme = url.substr(0, begin);
  std::string rest = begin == url.npos ? "" : url.substr(begin + 3);
  std::string host = rest.substr(0, rest.find('/'));
  // The value is not shown: with an @ it may hold a password.
  if ((scheme != "http" && scheme != "https") || host.empty() ||
      rest.find_first_of("@?# \t\r\n\"") != rest.npos)
    fail(ExitCode::Usage,
         "--endpoint-url must be http(s)://host[:port][/path], "
         "without user, query or blanks");
  return {url};
}

static std::string amazon(const std::string &region) {
  return "s3." + region +
         (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
}

std::string S3Endpoint::host(const std::string &region) const {
  return base.empty() ? amazon(region) : base;
}

std::string S3Endpoint::url(const std::string &region,
                            const std::string &bucket, const std::string &key,
                            const std::string &query) const {
  std::string path("/");
  path += percentEncode(key, "/");
  std::string suffix = query.empty() ? "" : "?" + query;
  if (!base.empty())
    return base + "/" + bucket + (key.empty() ? "" : path) + suffix;
  if (bucket.find('.') != bucket.npos)
    return "https://" + amazon(region) + "/" + bucket +
           (key.empty() ? "" : path) + suffix;
  return "https://" + bucket + "." + amazon(region) + path + suffix;
}

} // namespace llamarun
