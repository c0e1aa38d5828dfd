#include "runtime/device/cpu/ThreadPool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace llamarun {

static inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Some 10 to 50 microseconds of pauses; after that the core is given away in
// turns, so that a machine with other work (or fewer cores than threads) is not
// starved by spinning.
static constexpr unsigned kSpins = 1000;
// How long workers look for work before they sleep: about the time a host needs
// to pack the next batch.
static constexpr auto kLinger = std::chrono::microseconds(200);

ThreadPool::ThreadPool(unsigned threads) {
  CPU_ZERO(&allowedCpus);
  // Fails beyond 1024 CPUs; workers then stay where the system puts them.
  if (::sched_getaffinity(0, sizeof allowedCpus, &allowedCpus) != 0)
    CPU_ZERO(&allowedCpus);
  for (unsigned i = 1; i < threads; ++i)
    workers.emplace_back([this, i] {
      thisThread = i;
      work();
    });
}

ThreadPool::~ThreadPool() {
  stopping.store(true);
  wake();
  for (auto &worker : workers)
    worker.join();
}

void ThreadPool::wake() {
  if (sleeping.load() == 0)
    return;
  wakeups.fetch_add(1);
  wakeups.notify_all();
}

/// A system likes to wake a thread on the waker's CPU, and on a machine with
/// other work it then leaves the two there: each waits for the other, and two
/// threads are no faster than one. A worker that finds itself beside the caller
/// therefore rules out that one CPU for itself; it is not bound otherwise.
void ThreadPool::leaveCallersCpu() const {
  int cpu = callerCpu.load(std::memory_order_relaxed);
  if (cpu < 0 || cpu != ::sched_getcpu() || CPU_COUNT(&allowedCpus) < 2)
    return;
  cpu_set_t others = allowedCpus;
  CPU_CLR(static_cast<std::size_t>(cpu), &others);
  ::sched_setaffinity(0, sizeof others, &others); // of this thread
}

void ThreadPool::hold() {
  callerCpu.store(::sched_getcpu(), std::memory_order_relaxed);
  held.store(true);
  wake();
}

void ThreadPool::release() { held.store(false); }

/// Claims chunks of the loop whose ticket is `seen` until there are none, and
/// leaves the ticket it gave up on in `seen`. The
/// ticket is closed before the loop's fields change and opened after: whoever
/// read fields of another loop fails its compare-exchange.
bool ThreadPool::help(std::uint64_t &seen) {
  bool helped = false;
  for (;;) {
    auto next = static_cast<std::uint32_t>(seen);
    if (next == kClosed)
      return helped;
    auto *body = loopBody.load(std::memory_order_acquire);
    auto *context = loopContext.load(std::memory_order_acquire);
    auto chunks = loopChunks.load(std::memory_order_acquire);
    if (next >= chunks)
      return helped;
    if (!ticket.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      continue; // `seen` now holds the ticket's present value
    body(context, next);
    done.fetch_add(1, std::memory_order_release);
    helped = true;
    seen = ticket.load(std::memory_order_acquire);
  }
}

void ThreadPool::run(std::uint32_t chunks, void (*body)(void *, std::uint32_t),
                     void *context) {
  if (chunks <= 1 || workers.empty()) {
    for (std::uint32_t i = 0; i < chunks; ++i)
      body(context, i);
    return;
  }
  auto generation = (ticket.load(std::memory_order_relaxed) >> 32) + 1;
  ticket.store(generation << 32 | kClosed);
  loopBody.store(body, std::memory_order_release);
  loopContext.store(context, std::memory_order_release);
  loopChunks.store(chunks, std::memory_order_release);
  done.store(0, std::memory_order_relaxed);
  ticket.store(generation << 32); // sequentially consistent: before wake's load
  wake();
  std::uint64_t own = generation << 32;
  help(own);
  for (unsigned spins = 0; done.load(std::memory_order_acquire) != chunks;)
    if (++spins < kSpins)
      relax();
    else
      std::this_thread::yield();
}

void ThreadPool::work() {
  using Clock = std::chrono::steady_clock;
  std::uint64_t last = ticket.load();
  for (;;) {
    // Look for work for a while.
    auto began = Clock::now();
    for (unsigned spins = 0;; ++spins) {
      auto seen = ticket.load(std::memory_order_acquire);
      if (seen != last) {
        if (help(seen)) {
          began = Clock::now();
          spins = 0;
        }
        last = seen;
        continue;
      }
      if (stopping.load(std::memory_order_relaxed))
        return;
      if (spins < kSpins) {
        relax();
        continue;
      }
      leaveCallersCpu();
      std::this_thread::yield();
      if (!held.load(std::memory_order_relaxed) &&
          Clock::now() - began > kLinger)
        break;
    }
    // Announce the sleep, then look once more: run() publishes, then looks for
    // sleepers, so one of the two sees the other.
    auto epoch = wakeups.load();
    sleeping.fetch_add(1);
    if (ticket.load() == last && !stopping.load() && !held.load())
      wakeups.wait(epoch);
    leaveCallersCpu();
    sleeping.fetch_sub(1);
  }
}

} // namespace llamarun
