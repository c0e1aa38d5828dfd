#include "runtime/backup/Sigv4.h"

#include "runtime/io/Manifest.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <map>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <vector>

namespace llamarun {

using Digest = std::array<unsigned char, 32>;

std::string percentEncode(std::string_view text, std::string_view kept) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                 (byte >= '0' && byte <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~' || kept.find(c) != kept.npos;
    if (plain)
      encoded += c;
    else
      ((encoded += '%') += kHex[byte >> 4]) += kHex[byte & 15];
  }
  return encoded;
}

std::string amzDate(Time time) {
  std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

namespace {

struct UrlParts {
  std::string host, path, query;
};

UrlParts partsOf(const std::string &url) {
  auto begin = url.find("://");
  if (begin == url.npos)
    fail(ExitCode::Usage, "no URL to sign");
  begin += 3;
  auto slash = std::min(url.find('/', begin), url.size());
  auto mark = std::min(url.find('?', slash), url.size());
  UrlParts parts{url.substr(begin, slash - begin),
                 url.substr(slash, mark - slash),
                 mark < url.size() ? url.substr(mark + 1) : ""};
  if (parts.path.empty())
    parts.path = "/";
  return parts;
}

/// Sorted pairs; one without a value gets an empty one.
std::string canonicalQuery(const std::string &query) {
  std::vector<std::string> pairs;
  for (std::size_t at = 0; at < query.size();) {
    auto end = std::min(query.find('&', at), query.size());
    std::string pair = query.substr(at, end - at);
    if (pair.find('=') == pair.npos)
      pair += '=';
    pairs.push_back(pair);
    at = end + 1;
  }
  std::ranges::sort(pairs, {}, [](const std::string &pair) {
    auto equals = pair.find('=');
    return std::pair(pair.substr(0, equals), pair.substr(equals + 1));
  });
  std::string text;
  for (auto &pair : pairs)
    text += (text.empty() ? "" : "&") + pair;
  return text;
}

std::map<std::string, std::string> canonicalHeaders(const HttpRequest &request,
                                                    const UrlParts &url) {
  std::map<std::string, std::string> headers{{"host", url.host}};
  for (auto [name, value] : request.headers) {
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return std::tolower(c); });
    std::string folded; // without blanks around it, one where there are more
    for (char c : value)
      if (c != ' ' || (!folded.empty() && folded.back() != ' '))
        folded += c;
    if (folded.ends_with(' '))
      folded.pop_back();
    auto [at, fresh] = headers.emplace(name, folded);
    if (!fresh)
      (at->second += ',') += folded;
  }
  return headers;
}

std::string namesOf(const std::map<std::string, std::string> &headers) {
  std::string names;
  for (auto &[name, value] : headers)
    names += (names.empty() ? "" : ";") + name;
  return names;
}

Digest hmac(std::string_view key, std::string_view text) {
  Digest digest{};
  unsigned size = 0;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char *>(text.data()), text.size(),
            digest.data(), &size) ||
      size != digest.size())
    fail(ExitCode::Storage, "libcrypto refuses to compute HMAC-SHA256");
  return digest;
}

std::string_view viewOf(const Digest &digest) {
  return {reinterpret_cast<const char *>(digest.data()), digest.size()};
}

std::string hexOf(const Digest &digest) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : digest)
    (text += kHex[byte >> 4]) += kHex[byte & 15];
  return text;
}

} // namespace

std::string canonicalRequest(const HttpRequest &request,
                             const std::string &payloadHash) {
  UrlParts url = partsOf(request.url);
  auto headers = canonicalHeaders(request, url);
  std::string text = request.method + "\n" + url.path + "\n" +
                     canonicalQuery(url.query) + "\n";
  for (auto &[name, value] : headers)
    text += name + ":" + value + "\n";
  return text + "\n" + namesOf(headers) + "\n" + payloadHash;
}

void signRequest(HttpRequest &request, const Credentials &credentials,
                 const std::string &region, Time time,
                 const std::string &payloadHash, const std::string &service) {
  std::string date = amzDate(time);
  request.header("x-amz-date", date);
  request.header("x-amz-content-sha256", payloadHash);
  if (!credentials.sessionToken.empty())
    request.header("x-amz-security-token", credentials.sessionToken.reveal());
  std::string names = namesOf(canonicalHeaders(request, partsOf(request.url)));
  std::string day = date.substr(0, 8);
  std::string scope = day + "/" + region + "/" + service + "/aws4_request";
  std::string toSign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" +
                       sha256Of(canonicalRequest(request, payloadHash));
  std::string first = "AWS4" + credentials.secretKey.reveal();
  Digest key = hmac(first, day);
  OPENSSL_cleanse(first.data(), first.size());
  for (std::string_view part :
       {std::string_view(region), std::string_view(service),
        std::string_view("aws4_request")})
    key = hmac(viewOf(key), part);
  std::string signature = hexOf(hmac(viewOf(key), toSign));
  OPENSSL_cleanse(key.data(), key.size());
  request.header("Authorization",
                 "AWS4-HMAC-SHA256 Credential=" + credentials.accessKey + "/" +
                     scope + ",SignedHeaders=" + names +
                     ",Signature=" + signature);
}

std::string base64OfHex(std::string_view hex) {
  std::vector<unsigned char> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<unsigned char>(
        std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  text.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char *>(text.data()),
                      bytes.data(), static_cast<int>(bytes.size()))));
  return text;
}

} // namespace llamarun
