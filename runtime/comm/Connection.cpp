#include "runtime/comm/Connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace llamarun {

Descriptor::~Descriptor() {
  if (fd >= 0)
    ::close(fd);
}

/// A host that is gone is noticed by the kernel as well, within about 5 s: by
/// unanswered probes when nothing is sent, by unacknowledged data otherwise.
static void setOptions(int fd) {
  auto set = [fd](int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof(value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 2);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
}

Connection::Connection(Descriptor from) : socket(std::move(from)) {
  setOptions(socket.get());
}

void Connection::send(std::shared_ptr<const std::string> frame) {
  if (open())
    queue.push_back(std::move(frame));
}

bool Connection::write() {
  while (!queue.empty()) {
    auto &frame = *queue.front();
    ssize_t count = ::send(fd(), frame.data() + written, frame.size() - written,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return errno == EAGAIN || errno == EWOULDBLOCK;
    written += static_cast<std::size_t>(count);
    if (written == frame.size()) {
      queue.pop_front();
      written = 0;
    }
  }
  return true;
}

bool Connection::read() {
  // A bounded share, so that one fast sender does not starve the others.
  char buffer[64 << 10];
  for (int i = 0; i < 64; ++i) {
    ssize_t count = ::recv(fd(), buffer, sizeof(buffer), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return errno == EAGAIN || errno == EWOULDBLOCK;
    if (count == 0)
      return false;
    parser.append(buffer, static_cast<std::size_t>(count));
  }
  return true;
}

int pollTime(SocketTime deadline, int most) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return static_cast<int>(
      std::clamp<std::int64_t>(left.count(), 0, std::int64_t{most}));
}

namespace {

struct AddressList {
  addrinfo *first = nullptr;
  std::string why;
  AddressList(const std::string &host, std::uint16_t port, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    int error = getaddrinfo(host.empty() ? nullptr : host.c_str(),
                            std::to_string(port).c_str(), &hints, &first);
    if (error) {
      first = nullptr;
      why = gai_strerror(error);
    }
  }
  ~AddressList() {
    if (first)
      freeaddrinfo(first);
  }
};

/// -1 and errno if it cannot be had.
int listenOn(const addrinfo &address) {
  int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (address.ai_family == AF_INET6)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  if (bind(fd, address.ai_addr, address.ai_addrlen) || listen(fd, 512)) {
    int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

/// Whether an address before `address` is the same: /etc/hosts may say so
/// twice.
bool isRepeated(const addrinfo *first, const addrinfo &address) {
  for (auto *a = first; a != &address; a = a->ai_next)
    if (a->ai_addrlen == address.ai_addrlen &&
        std::memcmp(a->ai_addr, address.ai_addr, a->ai_addrlen) == 0)
      return true;
  return false;
}

/// Whether a socket met itself: where nobody listens, a connection to a port
/// of this machine may be given that very port as its own.
bool isOwnPeer(int fd) {
  sockaddr_storage own{}, peer{};
  socklen_t ownSize = sizeof(own), peerSize = sizeof(peer);
  return getsockname(fd, reinterpret_cast<sockaddr *>(&own), &ownSize) == 0 &&
         getpeername(fd, reinterpret_cast<sockaddr *>(&peer), &peerSize) == 0 &&
         ownSize == peerSize && std::memcmp(&own, &peer, ownSize) == 0;
}

} // namespace

std::vector<Descriptor> listenAt(const std::string &host, std::uint16_t &port,
                                 unsigned count) {
  std::string why;
  for (unsigned i = 0; i < count && port + i <= 65535; ++i) {
    auto candidate = static_cast<std::uint16_t>(port + i);
    std::vector<Descriptor> sockets;
    bool taken = false;
    // First its own addresses; if none is this machine's, all there are.
    for (const std::string &where : {host, std::string()}) {
      AddressList addresses(where, candidate, where.empty() ? AI_PASSIVE : 0);
      for (auto *a = addresses.first; a && !taken; a = a->ai_next) {
        if (isRepeated(addresses.first, *a))
          continue;
        int fd = listenOn(*a);
        if (fd >= 0)
          sockets.emplace_back(fd);
        else if (errno == EADDRINUSE || errno == EACCES)
          taken = true;
        if (fd < 0)
          why = std::strerror(errno);
      }
      if (taken || !sockets.empty())
        break;
    }
    if (taken || sockets.empty())
      continue;
    port = candidate;
    return sockets;
  }
  std::string last =
      count > 1 ? " to " + std::to_string(port + count - 1) : std::string();
  fail(ExitCode::PeerLost, "rank 0 cannot listen on ", host, ", port ", port,
       last, ": ", why, "; set LLAMARUN_PORT to a free port on every rank");
}

Descriptor acceptFrom(const Descriptor &listening) {
  return Descriptor(
      accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

Descriptor connectTo(const std::string &host, std::uint16_t port,
                     SocketTime deadline, std::string &why) {
  AddressList addresses(host, port, 0);
  if (!addresses.first)
    why = addresses.why;
  for (auto *a = addresses.first; a; a = a->ai_next) {
    Descriptor fd(
        ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
      continue;
    int error = 0;
    if (::connect(fd.get(), a->ai_addr, a->ai_addrlen)) {
      error = errno;
      pollfd wait{fd.get(), POLLOUT, 0};
      socklen_t size = sizeof(error);
      if (error == EINPROGRESS && poll(&wait, 1, pollTime(deadline, 2000)) == 1)
        getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      else if (error == EINPROGRESS)
        error = ETIMEDOUT;
    }
    if (error == 0 && isOwnPeer(fd.get()))
      error = ECONNREFUSED;
    if (error == 0)
      return fd;
    why = std::strerror(error);
  }
  return {};
}

} // namespace llamarun
