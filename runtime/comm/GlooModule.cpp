// The shared object that is linked with libgloo: its TCP transport behind the
// table of GlooModule.h. Carried by llamarun (GlooLibrary.cpp).
#include "runtime/comm/GlooModule.h"

#include <gloo/transport/context.h>
#include <gloo/transport/tcp/device.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <signal.h>
#include <stdexcept>
#include <vector>

namespace llamarun {
namespace {

namespace transport = ::gloo::transport;
using Buffers = std::vector<std::unique_ptr<transport::UnboundBuffer>>;

// Who hangs is found by the control plane, which then aborts; this only keeps a
// process from waiting for ever.
constexpr auto kNever = std::chrono::hours(24);

struct Group {
  std::shared_ptr<transport::Device> device;
  std::shared_ptr<transport::Context> context;
  std::uint64_t slot = 0; ///< of the next exchange
  std::mutex mutex;       ///< of what follows
  Buffers sends, receives;
  bool aborted = false;
};

/// Gloo writes with writev, and a connection that a peer has closed answers
/// with SIGPIPE: not for this thread, nor for one that it starts meanwhile.
class NoSigpipe {
public:
  NoSigpipe() {
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    wasPending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
  }
  ~NoSigpipe() {
    timespec now{};
    while (!wasPending && sigtimedwait(&pipe, nullptr, &now) < 0 &&
           errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  NoSigpipe(const NoSigpipe &) = delete;
  NoSigpipe &operator=(const NoSigpipe &) = delete;

private:
  sigset_t pipe, before;
  bool wasPending;
};

void tell(char *error, const std::exception &exception) {
  std::strncpy(error, exception.what(), GlooTable::kError - 1);
  error[GlooTable::kError - 1] = 0;
}

void *open(const char *address, std::uint32_t rank, std::uint32_t size,
           std::uint32_t patience, char *error) try {
  NoSigpipe quiet; // Gloo's thread keeps the mask
  auto group = std::make_unique<Group>();
  group->device = transport::tcp::CreateDevice(transport::tcp::attr(address));
  group->context = group->device->createContext(static_cast<int>(rank),
                                                static_cast<int>(size));
  // A pair waits five times its timeout for the other side to connect.
  group->context->setTimeout(std::chrono::milliseconds(200 * patience));
  for (std::uint32_t i = 0; i < size; ++i)
    if (i != rank)
      group->context->createPair(static_cast<int>(i));
  return group.release();
} catch (const std::exception &exception) {
  tell(error, exception);
  return nullptr;
}

void address(void *handle, std::uint32_t peer, void *bytes) {
  auto &pair =
      static_cast<Group *>(handle)->context->getPair(static_cast<int>(peer));
  auto text = pair->address().bytes();
  std::memset(bytes, 0, GlooTable::kAddress);
  std::memcpy(bytes, text.data(),
              std::min<std::size_t>(text.size(), GlooTable::kAddress));
}

GlooResult connect(void *handle, std::uint32_t peer, const void *bytes,
                   char *error) try {
  NoSigpipe quiet;
  auto &pair =
      static_cast<Group *>(handle)->context->getPair(static_cast<int>(peer));
  auto size = pair->address().bytes().size();
  auto *begin = static_cast<const char *>(bytes);
  pair->connect({begin, begin + size});
  return GlooResult::Done;
} catch (const std::exception &exception) {
  tell(error, exception);
  return GlooResult::Failed;
}

/// Buffers of the exchange under way; abort finds them while it lasts. They end
/// in the exchange's own thread, where Gloo waits for whoever still uses them.
class Current {
public:
  Current(Group &group, const GlooTransfer *sends, std::uint32_t sendCount,
          const GlooTransfer *receives, std::uint32_t receiveCount)
      : group(group) {
    std::lock_guard lock(group.mutex);
    auto make = [&](Buffers &list, const GlooTransfer *of, std::uint32_t n) {
      for (std::uint32_t i = 0; i < n; ++i)
        list.push_back(
            group.context->createUnboundBuffer(of[i].bytes, of[i].size));
    };
    make(group.sends, sends, sendCount);
    make(group.receives, receives, receiveCount);
  }
  ~Current() {
    Buffers sends, receives;
    std::lock_guard lock(group.mutex);
    sends.swap(group.sends);
    receives.swap(group.receives);
  }
  bool aborted() const {
    std::lock_guard lock(group.mutex);
    return group.aborted;
  }

private:
  Group &group;
};

GlooResult exchange(void *handle, const GlooTransfer *sends,
                    std::uint32_t sendCount, const GlooTransfer *receives,
                    std::uint32_t receiveCount, char *error) try {
  NoSigpipe quiet;
  auto &group = *static_cast<Group *>(handle);
  Current current(group, sends, sendCount, receives, receiveCount);
  // From here on abort() finds the buffers; before, it left this.
  if (current.aborted())
    return GlooResult::Aborted;
  auto slot = group.slot++;
  // Receives first: what arrives then has a place.
  for (std::uint32_t i = 0; i < receiveCount; ++i)
    group.receives[i]->recv(static_cast<int>(receives[i].peer), slot);
  for (std::uint32_t i = 0; i < sendCount; ++i)
    group.sends[i]->send(static_cast<int>(sends[i].peer), slot);
  for (auto &buffer : group.sends)
    if (!buffer->waitSend(kNever))
      return GlooResult::Aborted;
  for (auto &buffer : group.receives)
    if (!buffer->waitRecv(kNever))
      return GlooResult::Aborted;
  return GlooResult::Done;
} catch (const std::exception &exception) {
  tell(error, exception);
  return GlooResult::Failed;
}

void abort(void *handle) {
  auto &group = *static_cast<Group *>(handle);
  std::lock_guard lock(group.mutex);
  group.aborted = true;
  for (auto &buffer : group.sends)
    buffer->abortWaitSend();
  for (auto &buffer : group.receives)
    buffer->abortWaitRecv();
}

void close(void *handle) { delete static_cast<Group *>(handle); }

constexpr GlooTable kTable{open, address, connect, exchange, abort, close};

} // namespace
} // namespace llamarun

extern "C" __attribute__((visibility("default"))) const llamarun::GlooTable *
llamarunGloo() {
  return &llamarun::kTable;
}
