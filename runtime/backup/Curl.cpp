#include "runtime/backup/Curl.h"

#include "runtime/backup/CurlLibrary.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>

namespace llamarun {

struct CurlTransport::Handle {
  CURL *easy = nullptr;
  ~Handle() { curlLibrary().cleanup(easy); }
};

namespace {

struct List {
  curl_slist *first = nullptr;
  ~List() { curlLibrary().freeAll(first); }
  void add(const std::string &line) {
    auto *longer = curlLibrary().append(first, line.c_str());
    if (!longer)
      throw std::bad_alloc();
    first = longer;
  }
};

/// One transfer, as libcurl's callbacks see it.
struct Transfer {
  const CurlOptions &options;
  std::span<const std::byte> body;
  std::size_t sent = 0;
  HttpResponse response;
  bool tooLong = false;
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> moved; ///< last byte, once connected
  curl_off_t bytes = 0;
  bool stalled = false;
};

std::size_t readBody(char *to, std::size_t size, std::size_t count, void *at) {
  auto &transfer = *static_cast<Transfer *>(at);
  std::size_t bytes =
      std::min(size * count, transfer.body.size() - transfer.sent);
  if (bytes)
    std::memcpy(to, transfer.body.data() + transfer.sent, bytes);
  transfer.sent += bytes;
  return bytes;
}

/// libcurl sends again on a fresh connection when a kept one turns out closed.
int seekBody(void *at, curl_off_t offset, int origin) {
  auto &transfer = *static_cast<Transfer *>(at);
  if (origin != SEEK_SET || offset < 0 ||
      static_cast<std::uint64_t>(offset) > transfer.body.size())
    return CURL_SEEKFUNC_FAIL;
  transfer.sent = static_cast<std::size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

std::size_t writeBody(char *from, std::size_t size, std::size_t count,
                      void *at) {
  auto &transfer = *static_cast<Transfer *>(at);
  std::size_t bytes = size * count;
  if (bytes > transfer.options.maxAnswer - transfer.response.body.size()) {
    transfer.tooLong = true;
    return 0;
  }
  transfer.response.body.append(from, bytes);
  return bytes;
}

std::size_t writeHeader(char *from, std::size_t size, std::size_t count,
                        void *at) {
  auto &headers = static_cast<Transfer *>(at)->response.headers;
  std::string_view line(from, size * count);
  if (line.starts_with("HTTP/"))
    headers.clear(); // those before were of 100 Continue
  auto colon = line.find(':');
  if (colon != line.npos && headers.size() < 200) {
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return std::tolower(c); });
    std::string_view value = line.substr(colon + 1);
    auto begin = value.find_first_not_of(" \t\r\n");
    auto end = value.find_last_not_of(" \t\r\n");
    headers[name] =
        begin == value.npos ? "" : value.substr(begin, end - begin + 1);
  }
  return line.size();
}

/// The connection is there, the request is about to be sent.
int connected(void *at, char *, char *, int, int) {
  static_cast<Transfer *>(at)->moved = Transfer::Clock::now();
  return CURL_PREREQFUNC_OK;
}

/// Every second, or when something moves. (The library's own low speed limit
/// takes the mean of five seconds.)
int progress(void *at, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
  auto &transfer = *static_cast<Transfer *>(at);
  if (transfer.options.stop())
    return 1;
  if (!transfer.moved)
    return 0;
  auto now = Transfer::Clock::now();
  if (down + up != transfer.bytes) {
    transfer.bytes = down + up;
    transfer.moved = now;
  }
  transfer.stalled = now - *transfer.moved >
                     std::chrono::seconds(transfer.options.stallSeconds);
  return transfer.stalled;
}

/// What another attempt will not change.
bool isFinal(CURLcode code) {
  switch (code) {
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_URL_MALFORMAT:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
    return true;
  default:
    return false;
  }
}

/// Scheme and host of a URL, for messages.
std::string_view serverOf(std::string_view url) {
  auto slashes = url.find("://");
  return url.substr(0, slashes == url.npos ? 0 : url.find('/', slashes + 3));
}

} // namespace

CurlTransport::CurlTransport(CurlOptions options)
    : options(std::move(options)), handle(std::make_unique<Handle>()) {
  handle->easy = curlLibrary().init();
  if (!handle->easy)
    throw std::bad_alloc();
}

CurlTransport::~CurlTransport() = default;

HttpResponse CurlTransport::send(const HttpRequest &request) {
  const CurlLibrary &curl = curlLibrary();
  CURL *easy = handle->easy;
  Transfer transfer{options, request.body, 0, {}, false, {}, 0, false};
  char reason[CURL_ERROR_SIZE] = "";
  List headers;
  for (auto &[name, value] : request.headers)
    headers.add(value.empty() ? name + ";" : name + ": " + value);
  headers.add("Expect:"); // no pause before the body
  auto set = [&](CURLoption option, auto value) {
    if (auto code = curl.setopt(easy, option, value); code != CURLE_OK)
      fail(ExitCode::Storage, "libcurl: ", curl.strerror(code));
  };
  curl.reset(easy); // options, not connections
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PATH_AS_IS, 1L); // what was signed
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.caBundle.empty())
    set(CURLOPT_CAINFO, options.caBundle.c_str());
  set(CURLOPT_USERAGENT, "llamarun/" LLAMAC_VERSION);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_VERBOSE, 0L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, 256L << 10);
  set(CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
  set(CURLOPT_ERRORBUFFER, static_cast<char *>(reason));
  set(CURLOPT_HTTPHEADER, headers.first);
  set(CURLOPT_WRITEFUNCTION, &writeBody);
  set(CURLOPT_WRITEDATA, static_cast<void *>(&transfer));
  set(CURLOPT_HEADERFUNCTION, &writeHeader);
  set(CURLOPT_HEADERDATA, static_cast<void *>(&transfer));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &progress);
  set(CURLOPT_XFERINFODATA, static_cast<void *>(&transfer));
  if (request.link) {
    set(CURLOPT_NOPROXY, "*");
    auto patience = static_cast<long>(request.linkSeconds * 1000);
    set(CURLOPT_CONNECTTIMEOUT_MS, patience);
    set(CURLOPT_TIMEOUT_MS, 2 * patience);
  } else {
    set(CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(options.connectSeconds * 1000));
    set(CURLOPT_PREREQFUNCTION, &connected);
    set(CURLOPT_PREREQDATA, static_cast<void *>(&transfer));
  }
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_READFUNCTION, &readBody);
    set(CURLOPT_READDATA, static_cast<void *>(&transfer));
    set(CURLOPT_SEEKFUNCTION, &seekBody);
    set(CURLOPT_SEEKDATA, static_cast<void *>(&transfer));
  } else {
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  CURLcode code = curl.perform(easy);
  std::string server(serverOf(request.url));
  if (code == CURLE_ABORTED_BY_CALLBACK && transfer.stalled)
    throw TransportError(server + ": no byte for " +
                             std::to_string(options.stallSeconds) + " s",
                         true);
  if (code == CURLE_ABORTED_BY_CALLBACK)
    throw Stopped();
  if (transfer.tooLong)
    throw TransportError(server + ": the answer is longer than " +
                             std::to_string(options.maxAnswer) + " bytes",
                         false);
  if (code != CURLE_OK) {
    // The library's own words, which hold hosts and numbers.
    std::string why = *reason ? reason : curl.strerror(code);
    throw TransportError(server + ": " + why, !isFinal(code));
  }
  long status = 0;
  curl.getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

} // namespace llamarun
