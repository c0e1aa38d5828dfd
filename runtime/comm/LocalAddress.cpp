#include "runtime/comm/LocalAddress.h"

#include "runtime/support/Error.h"

#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace llamarun {

/// The address that a datagram socket gets when it is pointed at `to`: the
/// routing table is asked, no packet leaves.
static std::string sourceFor(const addrinfo &to, int &why) {
  int descriptor = ::socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    why = errno;
    return {};
  }
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  auto *address = reinterpret_cast<sockaddr *>(&own);
  std::string result;
  char text[NI_MAXHOST] = "";
  if (::connect(descriptor, to.ai_addr, to.ai_addrlen) != 0 ||
      ::getsockname(descriptor, address, &size) != 0)
    why = errno;
  else if (::getnameinfo(address, size, text, sizeof text, nullptr, 0,
                         NI_NUMERICHOST) == 0)
    result = text;
  ::close(descriptor);
  return result;
}

std::string localAddressTowards(const std::string &host) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  // Any port: nothing is sent to it.
  int failed = ::getaddrinfo(host.c_str(), "9", &hints, &found);
  if (failed)
    fail(ExitCode::PeerLost, "cannot find host '", host,
         "': ", ::gai_strerror(failed));
  std::string result;
  int why = 0;
  for (auto *to = found; to && result.empty(); to = to->ai_next)
    result = sourceFor(*to, why);
  ::freeaddrinfo(found);
  if (result.empty())
    fail(ExitCode::PeerLost, "no way to host '", host,
         "': ", std::strerror(why));
  return result;
}

bool isLoopback(const std::string &address) {
  return address.starts_with("127.") || address == "::1";
}

} // namespace llamarun
