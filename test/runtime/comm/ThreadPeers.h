//===- ThreadPeers.h - Ranks that are threads of one test ------*- C++ -*-===//
#pragma once

#include "runtime/comm/Peers.h"

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace llamarun::test {

/// What the ranks of one job share. A failure of one is told to all, at once.
struct ThreadJob {
  explicit ThreadJob(unsigned size) : given(size), collectives(size) {}
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> given, result;
  unsigned here = 0;
  std::uint64_t round = 0;
  std::optional<PeerFailure> failure;
  std::vector<std::vector<std::string>> collectives; ///< by rank, in order
};

class ThreadPeers final : public Peers {
public:
  ThreadPeers(ThreadJob &job, unsigned rank) : job(job) {
    theWorld.rank = theWorld.localRank = rank;
    theWorld.size = theWorld.localSize =
        static_cast<unsigned>(job.given.size());
  }
  const World &world() const override { return theWorld; }

  std::vector<std::string> allGather(std::string_view mine) override {
    std::unique_lock lock(job.mutex);
    auto round = job.round;
    job.given[theWorld.rank] = mine;
    if (++job.here == theWorld.size) {
      job.result = job.given;
      job.here = 0;
      ++job.round;
      job.changed.notify_all();
    }
    job.changed.wait(lock, [&] { return job.round != round || job.failure; });
    if (job.round == round)
      throw Error(job.failure->code, job.failure->cause);
    return job.result;
  }
  void setStep(std::int64_t) override {}
  void setCollective(std::string_view title) override {
    std::lock_guard lock(job.mutex);
    job.collectives[theWorld.rank].emplace_back(title);
  }
  void progress() override {}
  Subscription onLost(std::function<void(const PeerFailure &)>) override {
    return nullptr;
  }
  void check() override {
    std::lock_guard lock(job.mutex);
    if (job.failure)
      throw Error(job.failure->code, job.failure->cause);
  }
  std::optional<PeerFailure> failure() const override {
    std::lock_guard lock(job.mutex);
    return job.failure;
  }
  void fail(const Error &error) noexcept override {
    std::lock_guard lock(job.mutex);
    if (!job.failure) {
      job.failure.emplace();
      job.failure->rank = theWorld.rank;
      job.failure->code = error.code();
      job.failure->cause = error.what();
    }
    job.changed.notify_all();
  }
  void leave() override { barrier(); }

private:
  ThreadJob &job;
  World theWorld;
};

/// Runs body(peers) once per rank, each in a thread of its own; what the first
/// of them throws comes out.
inline void runRanks(ThreadJob &job,
                     const std::function<void(ThreadPeers &)> &body) {
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> thrown(job.given.size());
  for (unsigned rank = 0; rank < thrown.size(); ++rank)
    threads.emplace_back([&, rank] {
      ThreadPeers peers(job, rank);
      try {
        body(peers);
      } catch (const Error &error) {
        thrown[rank] = std::current_exception();
        peers.fail(error);
      }
    });
  for (auto &thread : threads)
    thread.join();
  for (auto &exception : thrown)
    if (exception)
      std::rethrow_exception(exception);
}
inline void runRanks(unsigned size,
                     const std::function<void(ThreadPeers &)> &body) {
  ThreadJob job(size);
  runRanks(job, body);
}

} // namespace llamarun::test
