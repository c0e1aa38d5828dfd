//===- Secret.h - Text that is never shown ---------------------*- C++ -*-===//
#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace llamarun {

/// A secret key or token. Written to a stream it is "[redacted]"; reveal() is
/// for the one who signs and the one who sends. Its memory is overwritten.
class Secret {
public:
  Secret() = default;
  explicit Secret(std::string text) : text(std::move(text)) {}
  Secret(const Secret &) = default;
  Secret(Secret &&other) noexcept : text(other.text) { other.wipe(); }
  Secret &operator=(Secret other) noexcept {
    std::swap(text, other.text);
    return *this;
  }
  ~Secret() { wipe(); }

  const std::string &reveal() const { return text; }
  bool empty() const { return text.empty(); }
  bool operator==(const Secret &) const = default;

private:
  void wipe();
  std::string text;
};

inline std::ostream &operator<<(std::ostream &out, const Secret &secret) {
  return out << (secret.empty() ? "[none]" : "[redacted]");
}

} // namespace llamarun
