//===- Retry.h - When to ask again -----------------------------*- C++ -*-===//
//
// The AWS tools' standard mode (SDKs and Tools Reference Guide, "Retry
// behavior"): what may pass is tried again after a random share of a delay that
// doubles ("full jitter").
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/backup/Credentials.h"

#include <functional>
#include <optional>
#include <string>

namespace llamarun {

/// Time, for tests to replace.
class Clock {
public:
  virtual ~Clock() = default;
  virtual Time now() = 0;
  /// \throws Stopped when the user asks to stop meanwhile.
  virtual void wait(double seconds) = 0;
};

/// The machine's. `stop` is asked every tenth of a second of waiting.
class SystemClock : public Clock {
public:
  explicit SystemClock(std::function<bool()> stop) : stop(std::move(stop)) {}
  Time now() override;
  void wait(double seconds) override;

private:
  std::function<bool()> stop;
};

struct RetryOptions {
  unsigned attempts = 5; ///< of a request, the first included
  double first = 1;      ///< seconds: the longest pause after one failure
  double longest = 20;   ///< and after many
};

class RetryPolicy {
public:
  /// \param random numbers in [0, 1).
  RetryPolicy(RetryOptions options, std::function<double()> random);

  /// Seconds before the next attempt, or nothing: `failures` (at least 1) are
  /// enough. \param asked what the server's Retry-After says, in seconds: not
  ///   less than this, up to a minute.
  std::optional<double> pause(unsigned failures, std::optional<double> asked);
  unsigned attempts() const { return options.attempts; }

private:
  RetryOptions options;
  std::function<double()> random;
};

/// "Tue, 15 Nov 1994 08:12:31 GMT" (RFC 9110).
std::optional<Time> parseHttpDate(const std::string &text);

/// Of a Retry-After header: seconds, or a date.
std::optional<double> parseRetryAfter(const std::string &text, Time now);

} // namespace llamarun
