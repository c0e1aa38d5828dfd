// The thread of the control plane; Control.cpp has what the main thread calls.
#include "runtime/comm/Control.h"

#include <algorithm>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace llamarun {

using namespace std::chrono_literals;

/// Seconds between signs of life; and between looks whether this rank has come
/// further, which is told at once: a dead rank's last step is known that well.
static constexpr double kBeat = 0.25;
static constexpr double kLook = 0.05;
/// A pause of this process longer than this was no fault of the others.
static constexpr auto kLongPause = 1s;
/// A broken collective counts as a cause by itself if nothing better shows up
/// for so long: the end of the process that broke it arrives within that.
static constexpr auto kSuspicion = 500ms;
/// For the others to read what was sent last.
static constexpr auto kParting = 300ms;
static constexpr std::size_t kLongestCollective = 2048;

void Control::run() {
  auto beat = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(std::min(kLook, timeout / 8)));
  auto next = Clock::now();
  auto before = next;
  for (;;) {
    waitForSockets(next);
    auto now = Clock::now();
    {
      std::lock_guard lock(mutex);
      if (now - before > kLongPause)
        watch.forgive(now - before);
      before = now;
      takeMail();
      for (std::size_t i = 0; i < connections.size(); ++i)
        if (connections[i].open())
          hear(rankOf(i), now);
      if (now >= next || (own.step >= 0 && sent.step < 0)) {
        tick(now);
        next = now + beat;
      }
      if (suspicion && !lost && now - suspectedAt >= kSuspicion)
        decide(*suspicion);
      takeMail();
      writeAll();
      changed.notify_all();
      if (stopping)
        break;
    }
    callActions();
  }
  closeAll();
}

/// Until there is something to do, or it is time for the next sign of life.
void Control::waitForSockets(Clock::time_point until) {
  std::vector<pollfd> fds{{wakeup.get(), POLLIN, 0}};
  for (auto &connection : connections)
    if (connection.open())
      fds.push_back({connection.fd(),
                     static_cast<short>(
                         POLLIN | (connection.wantsToWrite() ? POLLOUT : 0)),
                     0});
  poll(fds.data(), fds.size(), pollTime(until));
  std::uint64_t count;
  [[maybe_unused]] auto ignored = ::read(wakeup.get(), &count, sizeof(count));
}

void Control::takeMail() {
  for (auto &frame : mail)
    for (auto &connection : connections)
      connection.send(frame);
  mail.clear();
}

void Control::sendToAll(std::string frame) {
  mail.push_back(std::make_shared<const std::string>(std::move(frame)));
  written = false;
}

void Control::writeAll() {
  bool all = true;
  for (std::size_t i = 0; i < connections.size(); ++i) {
    auto &connection = connections[i];
    if (!connection.open())
      continue;
    if (!connection.write())
      ended(rankOf(i), "its connection broke: it died, or its host is gone");
    all &= !connection.open() || !connection.wantsToWrite();
  }
  written = all && mail.empty();
}

/// Before the first step files are read for minutes: reading shows in faults
/// of mapped pages and fresh memory.
void Control::notePageFaults() {
  rusage usage{};
  if (own.step >= 0 || getrusage(RUSAGE_SELF, &usage))
    return;
  long faults = usage.ru_minflt + usage.ru_majflt + usage.ru_inblock;
  if (faults > pageFaults + 16)
    ++own.progress;
  pageFaults = faults;
}

void Control::tick(Clock::time_point now) {
  notePageFaults();
  watch.heard(theWorld.rank, own, now);
  judge(now);
  if (own == sent && now - sentAt < std::chrono::duration<double>(
                                        std::min(kBeat, timeout / 8)))
    return;
  sent = own;
  sentAt = now;
  sendToAll(
      WireWriter(MessageKind::Alive)
          .number(own.gathers)
          .number(static_cast<std::uint64_t>(own.step))
          .number(own.collectives)
          .number(own.progress)
          .number(own.left)
          .text(std::string_view(ownCollective).substr(0, kLongestCollective))
          .frame());
}

void Control::judge(Clock::time_point now) {
  if (lost || allLeft)
    return;
  if (isHost()) {
    if (auto verdict = watch.judge(now))
      decide(describe(verdict->rank, verdict->cause, ExitCode::PeerLost));
  } else if (auto cause = watch.silent(0, now)) {
    decide(describe(0, *cause, ExitCode::PeerLost));
  }
}

void Control::hear(unsigned rank, Clock::time_point now) {
  auto &connection = connections[isHost() ? rank : 0];
  bool alive = connection.read();
  try {
    while (auto frame = connection.next())
      if (isHost())
        handleAtHost(rank, *frame, now);
      else
        handleAtGuest(*frame, now);
  } catch (const MessageError &error) {
    ended(rank, std::string("sent a wrong message: ") + error.what());
    return;
  }
  if (!alive)
    ended(rank, "its connection ended without a goodbye: it was killed, or "
                "crashed");
}

static std::pair<Activity, std::string> readAlive(WireReader &from) {
  Activity activity;
  activity.gathers = from.number();
  activity.step = static_cast<std::int64_t>(from.number());
  activity.collectives = from.number();
  activity.progress = from.number();
  activity.left = from.number();
  return {activity, from.text(kLongestCollective)};
}

void Control::handleAtHost(unsigned rank, const Frame &frame,
                           Clock::time_point now) {
  WireReader from(frame.body);
  switch (frame.kind) {
  case MessageKind::Alive: {
    auto [activity, collective] = readAlive(from);
    watch.heard(rank, activity, now);
    collectives[rank] = collective;
    break;
  }
  case MessageKind::Gather: {
    auto number = from.number();
    collect(rank, number, from.text(kMostBytes));
    break;
  }
  case MessageKind::Report: {
    PeerFailure cause = readFailure(from);
    cause.rank = rank;
    cause.host = hosts[rank];
    if (cause.code == ExitCode::PeerLost)
      suspect(cause, now);
    else
      decide(cause);
    break;
  }
  case MessageKind::Goodbye:
    noteLeft(rank);
    break;
  default:
    throw MessageError("of a kind that rank 0 does not take");
  }
  from.end();
}

void Control::handleAtGuest(const Frame &frame, Clock::time_point now) {
  WireReader from(frame.body);
  switch (frame.kind) {
  case MessageKind::Alive: {
    auto [activity, collective] = readAlive(from);
    watch.heard(0, activity, now);
    collectives[0] = collective;
    break;
  }
  case MessageKind::Gathered: {
    auto number = from.number();
    for (auto &part : parts)
      part = from.text(kMostBytes);
    result = std::exchange(parts, std::vector<std::string>(theWorld.size));
    gathered = number;
    break;
  }
  case MessageKind::Failure: {
    PeerFailure cause = readFailure(from);
    if (cause.rank >= theWorld.size)
      throw MessageError("about a rank that does not exist");
    decide(cause);
    break;
  }
  case MessageKind::AllLeft:
    allLeft = true;
    break;
  default:
    throw MessageError("of a kind that only rank 0 takes");
  }
  from.end();
}

/// At rank 0: one part of the allGather under way.
void Control::collect(unsigned rank, std::uint64_t number, std::string bytes) {
  if (number != gathered + 1 || present[rank])
    throw MessageError("call " + std::to_string(number) +
                       " of allGather, expected was " +
                       std::to_string(gathered + 1));
  parts[rank] = std::move(bytes);
  present[rank] = true;
  if (std::ranges::count(present, true) != theWorld.size)
    return;
  present.assign(theWorld.size, false);
  WireWriter all(MessageKind::Gathered);
  all.number(number);
  for (auto &part : parts)
    all.text(part);
  sendToAll(all.frame());
  result = std::exchange(parts, std::vector<std::string>(theWorld.size));
  gathered = number;
  wake();
  changed.notify_all();
}

void Control::noteLeft(unsigned rank) {
  Activity activity = watch.activity(rank);
  activity.left = true;
  watch.heard(rank, activity, Clock::now());
  for (unsigned r = 0; r < theWorld.size; ++r)
    if (!watch.activity(r).left)
      return;
  allLeft = true;
  sendToAll(WireWriter(MessageKind::AllLeft).frame());
}

void Control::ended(unsigned rank, const std::string &cause) {
  connections[isHost() ? rank : 0].close();
  // Whoever said goodbye may go; the others hear from rank 0 when all did.
  if (lost || allLeft || (isHost() && watch.activity(rank).left))
    return;
  decide(describe(rank, cause, ExitCode::PeerLost));
}

void Control::suspect(PeerFailure cause, Clock::time_point now) {
  if (suspicion)
    return;
  suspicion = std::move(cause);
  suspectedAt = now;
}

void Control::decide(PeerFailure cause) {
  if (lost)
    return;
  lost = std::move(cause);
  isLost = true;
  if (isHost()) {
    WireWriter message(MessageKind::Failure);
    putFailure(message, *lost);
    sendToAll(message.frame());
  }
  wake();
  changed.notify_all();
}

void Control::callActions() {
  std::vector<std::shared_ptr<Action>> due;
  std::optional<PeerFailure> cause;
  {
    std::lock_guard lock(mutex);
    if (!lost)
      return;
    cause = lost;
    due.swap(actions);
  }
  for (auto &action : due) {
    std::lock_guard lock(action->mutex);
    if (auto call = std::exchange(action->call, nullptr))
      call(*cause);
  }
}

/// Sends the rest, then waits for the others to close their ends: a socket that
/// is closed with unread bytes in it takes back what it sent.
void Control::closeAll() {
  auto until = Clock::now() + kParting;
  takeMail();
  if (!isHost() && (lost || allLeft))
    until = Clock::now(); // rank 0 has spoken last
  for (bool shut = false;;) {
    bool waiting = false, writing = false;
    for (auto &connection : connections) {
      if (!connection.open())
        continue;
      if (!connection.write() || !connection.read())
        connection.close();
      waiting |= connection.open();
      writing |= connection.open() && connection.wantsToWrite();
    }
    if (!waiting || Clock::now() >= until)
      break;
    if (!writing && !shut) {
      for (auto &connection : connections)
        if (connection.open())
          shutdown(connection.fd(), SHUT_WR);
      shut = true;
    }
    waitForSockets(std::min(until, Clock::now() + 20ms));
  }
  for (auto &connection : connections)
    connection.close();
}

} // namespace llamarun
