#include "runtime/comm/Wire.h"

#include <utility>

namespace llamarun {

static constexpr std::size_t kHeader = 9;
static constexpr std::size_t kLongestText = 4096;

static void putInteger(std::string &to, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i)
    to.push_back(static_cast<char>(value >> (8 * i)));
}

static std::uint64_t integerOf(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i]))
             << (8 * i);
  return value;
}

WireWriter::WireWriter(MessageKind kind) {
  bytes.push_back(static_cast<char>(kind));
  bytes.append(kHeader - 1, '\0');
}

WireWriter &WireWriter::number(std::uint64_t value) {
  putInteger(bytes, value, 8);
  return *this;
}

WireWriter &WireWriter::text(std::string_view value) {
  putInteger(bytes, value.size(), 4);
  bytes.append(value);
  return *this;
}

std::string WireWriter::frame() {
  std::uint64_t length = bytes.size() - kHeader;
  for (unsigned i = 0; i < 8; ++i)
    bytes[1 + i] = static_cast<char>(length >> (8 * i));
  return std::move(bytes);
}

std::string_view WireReader::take(std::size_t count) {
  if (count > rest.size())
    throw MessageError("a message ends early");
  auto taken = rest.substr(0, count);
  rest.remove_prefix(count);
  return taken;
}

std::uint64_t WireReader::number() { return integerOf(take(8)); }

std::string WireReader::text(std::size_t most) {
  auto size = static_cast<std::size_t>(integerOf(take(4)));
  if (size > most)
    throw MessageError("a text in a message is too long");
  return std::string(take(size));
}

void WireReader::end() const {
  if (!rest.empty())
    throw MessageError("a message is longer than its content");
}

std::optional<Frame> FrameParser::next(std::uint64_t limit) {
  std::string_view rest = std::string_view(pending).substr(taken);
  if (rest.empty())
    return std::nullopt;
  auto kind = static_cast<std::uint8_t>(rest[0]);
  if (kind < static_cast<std::uint8_t>(MessageKind::Banner) ||
      kind > static_cast<std::uint8_t>(MessageKind::AllLeft))
    throw MessageError("a message of unknown kind");
  if (rest.size() < kHeader)
    return std::nullopt;
  std::uint64_t length = integerOf(rest.substr(1, 8));
  if (length > limit)
    throw MessageError("a message of " + std::to_string(length) +
                       " bytes, at most " + std::to_string(limit) +
                       " are allowed");
  if (rest.size() - kHeader < length)
    return std::nullopt;
  Frame frame{static_cast<MessageKind>(kind),
              std::string(rest.substr(kHeader, length))};
  taken += kHeader + length;
  if (taken == pending.size() || taken > (1u << 20)) {
    pending.erase(0, taken);
    taken = 0;
  }
  return frame;
}

void putFailure(WireWriter &to, const PeerFailure &failure) {
  auto cut = [](const std::string &text) {
    return std::string_view(text).substr(0, kLongestText);
  };
  to.number(failure.rank)
      .text(cut(failure.host))
      .text(cut(failure.cause))
      .number(static_cast<std::uint64_t>(failure.code))
      .number(static_cast<std::uint64_t>(failure.step))
      .text(cut(failure.lastCollective));
}

PeerFailure readFailure(WireReader &from) {
  PeerFailure failure;
  failure.rank = static_cast<unsigned>(from.number());
  failure.host = from.text(kLongestText);
  failure.cause = from.text(kLongestText);
  std::uint64_t code = from.number();
  if (code >= 2 && code <= 255)
    failure.code = static_cast<ExitCode>(code);
  failure.step = static_cast<std::int64_t>(from.number());
  failure.lastCollective = from.text(kLongestText);
  return failure;
}

} // namespace llamarun
