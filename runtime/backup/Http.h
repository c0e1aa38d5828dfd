//===- Http.h - One request and its answer ---------------------*- C++ -*-===//
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// Headers may hold a session token or a signature: nothing prints them.
struct HttpRequest {
  std::string method = "GET";
  std::string url; ///< whole, every part percent-encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::span<const std::byte> body;
  /// Of a metadata service: no proxy, and it is near or not there.
  bool link = false;
  double linkSeconds = 1; ///< patience with it

  void header(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
  }
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body;

  /// Empty if there is none.
  std::string header(const std::string &name) const {
    auto at = headers.find(name);
    return at == headers.end() ? std::string() : at->second;
  }
};

/// No whole answer came: no connection, reset, stalled, cut off.
class TransportError : public std::runtime_error {
public:
  TransportError(const std::string &message, bool mayPass)
      : std::runtime_error(message), mayPass(mayPass) {}
  bool mayPass; ///< false: a certificate, a URL: trying again is no use
};

/// The user asked to stop.
struct Stopped {};

class HttpTransport {
public:
  virtual ~HttpTransport() = default;
  /// Answers of any status are returned. \throws TransportError, Stopped.
  virtual HttpResponse send(const HttpRequest &request) = 0;
};

} // namespace llamarun
