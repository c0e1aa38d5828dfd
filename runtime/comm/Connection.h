//===- Connection.h - Sockets that carry frames ----------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Wire.h"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace llamarun {

/// A file descriptor that is closed with its owner.
class Descriptor {
public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(Descriptor &&other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd; }
  explicit operator bool() const { return fd >= 0; }

private:
  int fd = -1;
};

/// One end of a TCP connection. No call blocks; the owner polls fd().
class Connection {
public:
  Connection() = default;
  explicit Connection(Descriptor socket);

  int fd() const { return socket.get(); }
  bool open() const { return static_cast<bool>(socket); }
  void close() { socket = Descriptor(); }

  /// Queues a frame; several connections may share its bytes.
  void send(std::shared_ptr<const std::string> frame);
  void send(std::string frame) {
    send(std::make_shared<const std::string>(std::move(frame)));
  }
  bool wantsToWrite() const { return !queue.empty(); }
  /// Writes what the socket takes. \returns false if the connection is broken.
  bool write();
  /// Takes in what has arrived. \returns false at its end; whole frames that
  /// came before can still be had.
  bool read();
  /// \throws MessageError if what arrived is no frame.
  std::optional<Frame> next(std::uint64_t limit = kMessageLimit) {
    return parser.next(limit);
  }

private:
  Descriptor socket;
  std::deque<std::shared_ptr<const std::string>> queue;
  std::size_t written = 0; ///< of the first frame
  FrameParser parser;
};

using SocketTime = std::chrono::steady_clock::time_point;

/// Milliseconds for poll(): until `deadline`, at least 0, at most `most`.
int pollTime(SocketTime deadline, int most = 1000);

/// Listens on the first free port of [port, port + count) at every address of
/// `host`, or at all addresses of this machine if `host` is not one of its own
/// names (it may stand behind an address translation). Loopback stays loopback.
/// \returns the sockets and in `port` the one taken.
/// \throws Error(PeerLost) naming the ports if all are taken.
std::vector<Descriptor> listenAt(const std::string &host, std::uint16_t &port,
                                 unsigned count);

/// Accepts one waiting connection; none: an invalid descriptor.
Descriptor acceptFrom(const Descriptor &listening);

/// Connects to any address of host:port within the time; none answers: an
/// invalid descriptor, the reason in `why`.
Descriptor connectTo(const std::string &host, std::uint16_t port,
                     SocketTime deadline, std::string &why);

} // namespace llamarun
