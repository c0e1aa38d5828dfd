#include "runtime/comm/Join.h"

#include "runtime/comm/Watch.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <list>
#include <poll.h>
#include <thread>

namespace llamarun {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kMagic = "llamarun control plane";
constexpr std::uint64_t kVersion = 1;
/// Strangers that may be connected at a time.
constexpr std::size_t kMostGuests = 1024;
/// For a banner or a greeting to arrive.
constexpr auto kGreetingTime = std::chrono::seconds(3);

SocketTime after(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(
             std::chrono::duration<double>(std::min(seconds, 1e8)));
}

/// "rank 3", "ranks 1, 2"
std::string ranksText(const std::vector<unsigned> &ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  constexpr std::size_t kMost = 16;
  for (std::size_t i = 0; i < ranks.size() && i < kMost; ++i)
    text += (i ? ", " : "") + std::to_string(ranks[i]);
  if (ranks.size() > kMost)
    text += " and " + std::to_string(ranks.size() - kMost) + " more";
  return text;
}

/// What ends the start of a job, for everybody.
[[noreturn]] void refuseAll(std::vector<Connection *> everyone, ExitCode code,
                            const std::string &why) {
  auto frame = std::make_shared<const std::string>(
      WireWriter(MessageKind::Refuse)
          .number(static_cast<std::uint64_t>(code))
          .text(why)
          .frame());
  for (auto *connection : everyone) {
    connection->send(frame);
    connection->write();
  }
  throw Error(code, why);
}

struct Hello {
  unsigned rank = 0, size = 0;
  std::string job, fingerprint, host;
};

/// A connection that has not said yet, or not all, who it is.
struct Guest {
  Connection connection;
  SocketTime until;
};

class Host {
public:
  Host(const World &world, std::string_view fingerprint, double timeout)
      : world(world), fingerprint(fingerprint), timeout(timeout),
        deadline(after(timeout)), ranks(world.size), fingerprints(world.size) {
    meeting.hosts.resize(world.size);
    meeting.hosts[0] = world.host;
    fingerprints[0] = fingerprint;
  }

  Meeting run() {
    std::uint16_t port = world.masterPort;
    listening = listenAt(world.masterAddress, port, world.portCount);
    while (joined + 1 < world.size) {
      if (Clock::now() >= deadline)
        refuse(ExitCode::PeerLost,
               ranksText(missing()) + " did not come within " +
                   secondsText(timeout) + " (rank 0 waits on " +
                   world.masterAddress + ", port " + std::to_string(port) +
                   ")");
      wait();
    }
    compareFingerprints();
    WireWriter welcome(MessageKind::Welcome);
    for (auto &host : meeting.hosts)
      welcome.text(host);
    auto frame = std::make_shared<const std::string>(welcome.frame());
    for (unsigned r = 1; r < world.size; ++r)
      ranks[r].send(frame);
    meeting.connections = std::move(ranks);
    return std::move(meeting);
  }

private:
  std::vector<unsigned> missing() const {
    std::vector<unsigned> result;
    for (unsigned r = 1; r < world.size; ++r)
      if (!ranks[r].open())
        result.push_back(r);
    return result;
  }

  [[noreturn]] void refuse(ExitCode code, const std::string &why,
                           Connection *last = nullptr) {
    std::vector<Connection *> everyone;
    for (auto &connection : ranks)
      if (connection.open())
        everyone.push_back(&connection);
    if (last)
      everyone.push_back(last);
    refuseAll(everyone, code, why);
  }

  void compareFingerprints() {
    std::vector<unsigned> others;
    for (unsigned r = 1; r < world.size; ++r)
      if (fingerprints[r] != fingerprint)
        others.push_back(r);
    if (others.empty())
      return;
    auto at = others.front();
    refuse(ExitCode::BadInput,
           ranksText(others) + " (host " + meeting.hosts[at] +
               ") and rank 0 (host " + world.host + ") do not run the same: " +
               fingerprints[at] + " against " + std::string(fingerprint));
  }

  /// One round of poll over everything.
  void wait() {
    std::vector<pollfd> fds;
    for (auto &socket : listening)
      fds.push_back(
          {socket.get(),
           static_cast<short>(guests.size() < kMostGuests ? POLLIN : 0), 0});
    for (auto &guest : guests)
      fds.push_back({guest.connection.fd(), POLLIN, 0});
    for (unsigned r = 1; r < world.size; ++r)
      if (ranks[r].open())
        fds.push_back({ranks[r].fd(), POLLIN, 0});
    poll(fds.data(), fds.size(), pollTime(deadline, 500));

    for (auto &socket : listening)
      while (Descriptor fd = acceptFrom(socket)) {
        guests.push_back(
            {Connection(std::move(fd)), Clock::now() + kGreetingTime});
        guests.back().connection.send(WireWriter(MessageKind::Banner)
                                          .text(kMagic)
                                          .number(kVersion)
                                          .text(world.job)
                                          .frame());
        guests.back().connection.write();
        if (guests.size() >= kMostGuests)
          break;
      }
    for (auto guest = guests.begin(); guest != guests.end();)
      guest = hear(*guest) ? std::next(guest) : guests.erase(guest);
    for (unsigned r = 1; r < world.size; ++r)
      if (ranks[r].open() && !ranks[r].read()) {
        ranks[r].close();
        refuse(ExitCode::PeerLost, "rank " + std::to_string(r) + " on host " +
                                       meeting.hosts[r] +
                                       ": ended while the job was starting");
      }
  }

  /// \returns false when the guest is dealt with.
  bool hear(Guest &guest) {
    bool alive = guest.connection.read();
    try {
      auto frame = guest.connection.next(kGreetingLimit);
      if (!frame)
        return alive && Clock::now() < guest.until;
      if (frame->kind != MessageKind::Hello)
        return false;
      WireReader from(frame->body);
      if (from.text() != kMagic || from.number() != kVersion)
        return false;
      Hello hello;
      hello.job = from.text();
      hello.rank = static_cast<unsigned>(from.number());
      hello.size = static_cast<unsigned>(from.number());
      hello.fingerprint = from.text(1024);
      hello.host = from.text(1024);
      from.end();
      if (hello.job == world.job)
        admit(guest, hello);
    } catch (const MessageError &) {
      // Not one of ours.
    }
    return false;
  }

  void admit(Guest &guest, const Hello &hello) {
    std::string who =
        "rank " + std::to_string(hello.rank) + " on host " + hello.host;
    if (hello.size != world.size)
      refuse(ExitCode::BadInput,
             who + " was started as one of " + std::to_string(hello.size) +
                 ", rank 0 on host " + world.host + " as one of " +
                 std::to_string(world.size),
             &guest.connection);
    if (hello.rank == 0 || hello.rank >= world.size || ranks[hello.rank].open())
      refuse(ExitCode::BadInput,
             who + ": another process has this rank, on host " +
                 meeting.hosts[hello.rank < world.size ? hello.rank : 0],
             &guest.connection);
    ranks[hello.rank] = std::move(guest.connection);
    meeting.hosts[hello.rank] = hello.host;
    fingerprints[hello.rank] = hello.fingerprint;
    ++joined;
  }

  const World &world;
  std::string_view fingerprint;
  double timeout;
  SocketTime deadline;
  std::vector<Descriptor> listening;
  std::list<Guest> guests;
  std::vector<Connection> ranks;
  std::vector<std::string> fingerprints;
  unsigned joined = 0;
  Meeting meeting;
};

/// Waits for one frame. None: the time is over or the connection ended.
std::optional<Frame> receive(Connection &connection, SocketTime deadline,
                             bool &ended) {
  ended = false;
  for (;;) {
    if (auto frame = connection.next(kGreetingLimit + (1u << 20)))
      return frame;
    if (ended || Clock::now() >= deadline)
      return std::nullopt;
    pollfd wait{connection.fd(), POLLIN, 0};
    if (poll(&wait, 1, pollTime(deadline)) > 0)
      ended = !connection.read();
  }
}

/// A connection to `port` if it is rank 0 of this job that answers there.
Connection callAt(const World &world, std::uint16_t port, SocketTime deadline,
                  std::string &why) {
  auto fd = connectTo(world.masterAddress, port, deadline, why);
  if (!fd)
    return {};
  Connection connection(std::move(fd));
  try {
    bool ended = false;
    auto banner = receive(
        connection, std::min(deadline, Clock::now() + kGreetingTime), ended);
    why = "something else answers there";
    if (!banner || banner->kind != MessageKind::Banner)
      return {};
    WireReader from(banner->body);
    if (from.text() != kMagic)
      return {};
    if (from.number() != kVersion) {
      why = "another version of llamarun answers there";
      return {};
    }
    if (from.text() != world.job) {
      why = "another job answers there";
      return {};
    }
  } catch (const MessageError &) {
    return {};
  }
  return connection;
}

Meeting meetHost(const World &world, std::string_view fingerprint,
                 double timeout) {
  SocketTime deadline = after(timeout);
  std::string why = "no answer";
  Connection connection;
  auto pause = std::chrono::milliseconds(5);
  while (!connection.open()) {
    for (unsigned i = 0; i < world.portCount && !connection.open(); ++i)
      connection =
          callAt(world, static_cast<std::uint16_t>(world.masterPort + i),
                 deadline, why);
    if (connection.open())
      break;
    if (Clock::now() >= deadline)
      fail(ExitCode::PeerLost, "rank 0 does not answer at ",
           world.masterAddress, ", port ", world.masterPort,
           world.portCount > 1 ? " and after" : "", ", within ",
           secondsText(timeout), ": ", why);
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(200));
  }
  connection.send(WireWriter(MessageKind::Hello)
                      .text(kMagic)
                      .number(kVersion)
                      .text(world.job)
                      .number(world.rank)
                      .number(world.size)
                      .text(fingerprint)
                      .text(world.host)
                      .frame());
  connection.write();
  // Rank 0 knows who is missing: let it speak first.
  bool ended = false;
  std::optional<Frame> answer;
  try {
    answer = receive(connection, deadline + std::chrono::seconds(2), ended);
    if (answer && answer->kind == MessageKind::Refuse) {
      WireReader from(answer->body);
      auto code =
          from.number() == static_cast<std::uint64_t>(ExitCode::BadInput)
              ? ExitCode::BadInput
              : ExitCode::PeerLost;
      throw Error(code, from.text());
    }
    if (answer && answer->kind == MessageKind::Welcome) {
      Meeting meeting;
      WireReader from(answer->body);
      for (unsigned r = 0; r < world.size; ++r)
        meeting.hosts.push_back(from.text(1024));
      from.end();
      meeting.connections.push_back(std::move(connection));
      return meeting;
    }
  } catch (const MessageError &) {
    ended = true;
  }
  if (ended || answer)
    fail(ExitCode::PeerLost, "rank 0 at ", world.masterAddress,
         ": ended while the job was starting");
  fail(ExitCode::PeerLost, "rank 0 at ", world.masterAddress,
       ": did not start the job within ", secondsText(timeout));
}

} // namespace

Meeting meet(const World &world, std::string_view fingerprint, double timeout) {
  if (world.rank == 0)
    return Host(world, fingerprint, timeout).run();
  return meetHost(world, fingerprint, timeout);
}

} // namespace llamarun
