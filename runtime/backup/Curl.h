//===- Curl.h - HTTP over libcurl ------------------------------*- C++ -*-===//
#pragma once

#include "runtime/backup/Http.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace llamarun {

struct CurlOptions {
  double connectSeconds = 10; ///< to connect, TLS included
  unsigned stallSeconds = 60; ///< without a byte in either direction
  std::string caBundle;       ///< PEM file instead of the system's
  std::size_t maxAnswer = std::size_t(64) << 20; ///< bytes
  /// Asked while a transfer goes on: true ends it with Stopped.
  std::function<bool()> stop = [] { return false; };
};

/// Connections are kept for the next request. Certificates are always checked;
/// redirects are never followed (a signature is for one host); nothing of a
/// request is logged. One thread at a time.
class CurlTransport : public HttpTransport {
public:
  explicit CurlTransport(CurlOptions options);
  ~CurlTransport() override;
  HttpResponse send(const HttpRequest &request) override;

private:
  struct Handle;
  CurlOptions options;
  std::unique_ptr<Handle> handle;
};

} // namespace llamarun
