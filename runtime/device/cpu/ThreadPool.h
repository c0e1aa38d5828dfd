//===- ThreadPool.h - Persistent workers for short parallel loops -*- C++ -*-=//
//
// A training step on a small model is some hundred loops of a few microseconds
// each, so handing out a loop must cost well under one. Workers spin while a
// program runs (hold/release) and for a short while after, then sleep.
//
// Chunks are claimed dynamically: which thread runs a chunk is left to chance,
// what a chunk computes is not, so results depend neither on timing nor on the
// number of threads as long as chunk boundaries do not.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <atomic>
#include <cstdint>
#include <sched.h>
#include <thread>
#include <vector>

namespace llamarun {

class ThreadPool {
public:
  /// `threads` counts the caller of run(): threads - 1 workers are started.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned threads() const { return static_cast<unsigned>(workers.size()) + 1; }

  /// Calls `body(context, i)` for every i in [0, chunks), each once, on any of
  /// the threads, and returns when all are done. `body` must not throw. Not
  /// reentrant: only from the thread that made the pool.
  void run(std::uint32_t chunks, void (*body)(void *context, std::uint32_t i),
           void *context);

  /// The calling thread's place among its pool's: 0 is the caller of run().
  static unsigned currentThread() { return thisThread; }

  /// Between hold() and release() workers stay awake.
  void hold();
  void release();

private:
  // High half: generation of the loop; low half: next chunk, or kClosed while
  // the loop is being described.
  static constexpr std::uint32_t kClosed = 0xffffffffu;
  alignas(64) std::atomic<std::uint64_t> ticket{kClosed};
  // The loop. Atomic because a late worker may read them while the next loop is
  // described; it then fails to claim a chunk.
  alignas(64) std::atomic<void (*)(void *, std::uint32_t)> loopBody{nullptr};
  std::atomic<void *> loopContext{nullptr};
  std::atomic<std::uint32_t> loopChunks{0};
  alignas(64) std::atomic<std::uint32_t> done{0};
  alignas(64) std::atomic<std::uint32_t> wakeups{0};
  std::atomic<std::uint32_t> sleeping{0};
  std::atomic<bool> held{false};
  std::atomic<int> callerCpu{-1}; ///< where hold() was called
  std::atomic<bool> stopping{false};
  cpu_set_t allowedCpus; ///< of the process when the pool was made
  std::vector<std::thread> workers;

  inline static thread_local unsigned thisThread = 0;

  void work();
  bool help(std::uint64_t &seen);
  void wake();
  void leaveCallersCpu() const;
};

} // namespace llamarun
