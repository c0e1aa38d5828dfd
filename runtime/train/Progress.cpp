#include "runtime/train/Progress.h"

#include <algorithm>
#include <cmath>
#include <unistd.h>

namespace llamarun {

using Clock = std::chrono::steady_clock;

std::string durationText(double seconds) {
  auto s = static_cast<long long>(
      std::isfinite(seconds) ? std::clamp(seconds, 0.0, 1e12) : 0);
  char text[64];
  if (s >= 3600)
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", s / 3600,
                  s / 60 % 60, s % 60);
  else
    std::snprintf(text, sizeof(text), "%lld:%02lld", s / 60, s % 60);
  return text;
}

static double tokensPerSecond(const ProgressState &state, double seconds) {
  return seconds > 0 ? static_cast<double>(state.tokens) / seconds : 0;
}

static double remaining(const ProgressState &state, double seconds) {
  return state.step ? seconds / static_cast<double>(state.step) *
                          static_cast<double>(state.totalSteps - state.step)
                    : 0;
}

/// "  budget 42", or nothing.
static std::string budgetText(const ProgressState &state) {
  return state.budget ? "  budget " + std::to_string(*state.budget) : "";
}

std::string progressBar(const ProgressState &state, double seconds) {
  constexpr std::uint64_t kWidth = 24;
  std::uint64_t filled =
      state.totalSteps ? kWidth * state.step / state.totalSteps : 0;
  std::string bar(std::min(filled, kWidth), '#');
  bar.resize(kWidth, '-');
  char text[200];
  std::snprintf(text, sizeof(text),
                "[%s] %llu/%llu  loss %.4f%s  %.0f tokens/s  ETA %s",
                bar.c_str(), static_cast<unsigned long long>(state.step),
                static_cast<unsigned long long>(state.totalSteps), state.loss,
                budgetText(state).c_str(), tokensPerSecond(state, seconds),
                durationText(remaining(state, seconds)).c_str());
  return text;
}

std::string progressLine(const ProgressState &state, double seconds) {
  char text[240];
  std::snprintf(
      text, sizeof(text),
      "step %llu/%llu  epoch %.2f  loss %.4f  grad_norm %.4g  lr %.4g%s  "
      "%.0f tokens/s  ETA %s",
      static_cast<unsigned long long>(state.step),
      static_cast<unsigned long long>(state.totalSteps), state.epoch,
      state.loss, state.gradNorm, state.learningRate, budgetText(state).c_str(),
      tokensPerSecond(state, seconds),
      durationText(remaining(state, seconds)).c_str());
  return text;
}

Progress::Progress(std::FILE *bar, std::FILE *lines)
    : bar(bar), lines(lines), showsBar(bar && isatty(fileno(bar))),
      showsLines(lines && (!showsBar || !isatty(fileno(lines)))),
      start(Clock::now()) {}

double Progress::elapsed() const {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Progress::update(const ProgressState &state) {
  auto now = Clock::now();
  if (!showsBar || (drawn && state.step < state.totalSteps &&
                    now - last < std::chrono::milliseconds(100)))
    return;
  last = now;
  drawn = true;
  // \x1b[K clears what a longer line before left over.
  std::fprintf(bar, "\r%s\x1b[K", progressBar(state, elapsed()).c_str());
  std::fflush(bar);
}

void Progress::log(const ProgressState &state) {
  if (!showsLines)
    return;
  std::fprintf(lines, "%s\n", progressLine(state, elapsed()).c_str());
  std::fflush(lines);
}

void Progress::clear() {
  if (!drawn)
    return;
  std::fprintf(bar, "\r\x1b[K");
  std::fflush(bar);
  drawn = false;
}

} // namespace llamarun
