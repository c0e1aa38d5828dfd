#include "runtime/backup/Retry.h"

#include "runtime/backup/Http.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <thread>

namespace llamarun {

Time SystemClock::now() {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
}

void SystemClock::wait(double seconds) {
  using Steady = std::chrono::steady_clock;
  auto end = Steady::now() + std::chrono::duration_cast<Steady::duration>(
                                 std::chrono::duration<double>(seconds));
  for (;;) {
    if (stop())
      throw Stopped();
    auto left = end - Steady::now();
    if (left <= left.zero())
      return;
    std::this_thread::sleep_for(
        std::min<Steady::duration>(left, std::chrono::milliseconds(100)));
  }
}

RetryPolicy::RetryPolicy(RetryOptions options, std::function<double()> random)
    : options(options), random(std::move(random)) {}

std::optional<double> RetryPolicy::pause(unsigned failures,
                                         std::optional<double> asked) {
  if (failures >= options.attempts)
    return std::nullopt;
  constexpr double kMostAsked = 60;
  double ceiling =
      std::min(options.longest, std::ldexp(options.first, int(failures) - 1));
  return std::max(random() * ceiling,
                  std::clamp(asked.value_or(0), 0.0, kMostAsked));
}

std::optional<Time> parseHttpDate(const std::string &text) {
  std::tm parts{};
  // Names of days and months are English in the C locale, which llamarun keeps.
  const char *rest =
      ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (!rest || *rest)
    return std::nullopt;
  return Time(std::chrono::seconds(::timegm(&parts)));
}

std::optional<double> parseRetryAfter(const std::string &text, Time now) {
  unsigned seconds = 0;
  auto end = text.data() + text.size();
  if (auto [at, error] = std::from_chars(text.data(), end, seconds);
      error == std::errc() && at == end)
    return seconds;
  if (auto date = parseHttpDate(text))
    return static_cast<double>((*date - now).count());
  return std::nullopt;
}

} // namespace llamarun
