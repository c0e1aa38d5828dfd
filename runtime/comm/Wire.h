//===- Wire.h - Messages of the control plane ------------------*- C++ -*-===//
//
// A frame is one byte of kind, eight bytes of length (little-endian), then so
// many bytes. Integers are little-endian, texts have a four-byte length before
// them. What comes from the network is not trusted: every read is checked, and
// nothing is allocated because a length says so.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/comm/Peers.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llamarun {

enum class MessageKind : std::uint8_t {
  Banner = 1, ///< rank 0 to whoever connects: magic, version, job
  Hello,      ///< magic, version, job, rank, size, fingerprint, host
  Welcome,    ///< all are there: hosts in order of rank
  Refuse,     ///< exit code, reason
  Alive,      ///< Activity, last collective
  Gather,     ///< number of the call, bytes
  Gathered,   ///< number of the call, everybody's bytes
  Report,     ///< to rank 0: PeerFailure of the sender
  Failure,    ///< from rank 0: the one that counts
  Goodbye,    ///< to rank 0: done
  AllLeft,    ///< from rank 0: all are done
};

/// What arrived is not what was agreed on.
class MessageError : public Error {
public:
  explicit MessageError(const std::string &what)
      : Error(ExitCode::PeerLost, what) {}
};

/// Longest message before the handshake is over, and ever, in bytes.
inline constexpr std::uint64_t kGreetingLimit = 16 << 10;
inline constexpr std::uint64_t kMessageLimit = std::uint64_t{1} << 32;

class WireWriter {
public:
  explicit WireWriter(MessageKind kind);
  WireWriter &number(std::uint64_t value); ///< eight bytes
  WireWriter &text(std::string_view value);
  /// The finished frame.
  std::string frame();

private:
  std::string bytes;
};

/// Reads the body of a frame; every function throws MessageError when it is
/// shorter than that.
class WireReader {
public:
  explicit WireReader(std::string_view body) : rest(body) {}
  std::uint64_t number();
  std::string text(std::size_t most = std::size_t{1} << 32);
  /// \throws MessageError if anything is left.
  void end() const;

private:
  std::string_view take(std::size_t count);
  std::string_view rest;
};

struct Frame {
  MessageKind kind{};
  std::string body;
};

/// Takes bytes as they come and gives whole frames.
class FrameParser {
public:
  void append(const char *bytes, std::size_t count) {
    pending.append(bytes, count);
  }
  /// The next frame, if it is complete. \throws MessageError for an unknown
  /// kind or a frame above `limit` bytes.
  std::optional<Frame> next(std::uint64_t limit);

private:
  std::string pending;
  std::size_t taken = 0;
};

void putFailure(WireWriter &to, const PeerFailure &failure);
/// Texts are cut to a few thousand bytes, an unknown code is PeerLost.
PeerFailure readFailure(WireReader &from);

} // namespace llamarun
