//===- FakeHttp.h - A server and a clock for tests -------------*- C++ -*-===//
#pragma once

#include "runtime/backup/Credentials.h"
#include "runtime/backup/Http.h"
#include "runtime/backup/Retry.h"

#include <deque>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace llamarun {

/// Answers in turn; keeps what it was asked.
struct FakeHttp : HttpTransport {
  using Answer = std::function<HttpResponse()>;
  std::deque<Answer> answers;
  std::vector<HttpRequest> asked;
  std::vector<std::string> bodies;
  /// Instead of `answers`, if set.
  std::function<HttpResponse(const HttpRequest &)> serve;

  HttpResponse send(const HttpRequest &request) override {
    asked.push_back(request);
    bodies.emplace_back(reinterpret_cast<const char *>(request.body.data()),
                        request.body.size());
    if (serve)
      return serve(request);
    if (answers.empty())
      throw TransportError("nobody answers any more", false);
    Answer answer = answers.front();
    answers.pop_front();
    return answer();
  }

  void then(int status, std::string body = "",
            std::map<std::string, std::string> headers = {}) {
    answers.push_back([=] { return HttpResponse{status, headers, body}; });
  }
  void thenError(int status, const std::string &code,
                 std::map<std::string, std::string> headers = {},
                 const std::string &more = "") {
    then(status,
         "<?xml version=\"1.0\"?><Error><Code>" + code +
             "</Code><Message>words</Message>" + more + "</Error>",
         std::move(headers));
  }
  void thenBreak(bool mayPass = true) {
    answers.push_back([=]() -> HttpResponse {
      throw TransportError("connection reset", mayPass);
    });
  }

  std::string header(std::size_t request, const std::string &name) const {
    for (auto &[key, value] : asked.at(request).headers)
      if (key == name)
        return value;
    return "";
  }
};

struct FakeClock : Clock {
  Time time{std::chrono::seconds(1'800'000'000)};
  std::vector<double> waits;
  Time now() override { return time; }
  void wait(double seconds) override { waits.push_back(seconds); }
};

/// Finds one after the other; the last for ever.
struct FakeCredentials : CredentialSource {
  std::vector<Credentials> all{{"AKID1",
                                Secret("the-secret-key"),
                                Secret("the-session-token"),
                                {},
                                "a test"}};
  std::size_t next = 0;
  Credentials find() override {
    return all.at(std::min(next++, all.size() - 1));
  }
};

} // namespace llamarun
