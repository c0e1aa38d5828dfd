#include "runtime/comm/Peers.h"

#include "test/runtime/comm/RankProcesses.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

using namespace llamarun;
using namespace llamarun::test;
using testing::HasSubstr;
using testing::Not;

namespace {

using RankBody = std::function<std::string(Peers &)>;

/// Starts `size` ranks; `body` runs on each with its peers.
struct Job {
  std::uint16_t port = freePort();
  RankProcesses processes;
  PeerOptions options{.timeoutSeconds = 10};
  std::vector<pid_t> pids;

  void start(unsigned size, const RankBody &body) {
    for (unsigned rank = 0; rank < size; ++rank)
      startRank(localWorld(rank, size, port), "same", body);
  }
  void startRank(const World &world, const std::string &fingerprint,
                 const RankBody &body) {
    pids.push_back(processes.start([=, this] {
      auto peers = joinPeers(world, fingerprint, options);
      try {
        return body(*peers);
      } catch (const Error &error) {
        peers->fail(error);
        peers->check(); // what really happened
        throw;
      }
    }));
  }
};

TEST(PeersTest, GatherGivesEverybodysBytesInOrderOfRank) {
  Job job;
  job.start(4, [](Peers &peers) {
    std::string all;
    for (int call = 0; call < 50; ++call) {
      auto mine = std::to_string(peers.world().rank) + "/" +
                  std::string(call * peers.world().rank, 'x');
      auto parts = peers.allGather(mine);
      for (unsigned r = 0; r < 4; ++r)
        if (parts.at(r) != std::to_string(r) + "/" + std::string(call * r, 'x'))
          return "wrong at " + std::to_string(call);
    }
    auto root =
        peers.broadcast(2, "from " + std::to_string(peers.world().rank));
    peers.leave();
    return root;
  });
  for (auto &ending : job.processes.finish()) {
    EXPECT_EQ(ending.text, "from 2");
    EXPECT_EQ(ending.code, 0);
  }
}

TEST(PeersTest, LargeGather) {
  Job job;
  job.start(3, [](Peers &peers) {
    std::size_t bytes = std::size_t{8} << 20;
    auto parts = peers.allGather(
        std::string(bytes, static_cast<char>('a' + peers.world().rank)));
    for (unsigned r = 0; r < 3; ++r)
      if (parts[r] != std::string(bytes, static_cast<char>('a' + r)))
        return "wrong";
    peers.leave();
    return "right";
  });
  for (auto &ending : job.processes.finish())
    EXPECT_EQ(ending.text, "right");
}

TEST(PeersTest, AWorldOfOneNeedsNoSockets) {
  World world;
  auto peers = joinPeers(world, "x");
  EXPECT_EQ(peers->allGather("me"), std::vector<std::string>{"me"});
  peers->leave();
}

TEST(PeersTest, LocalRanksAreCountedByHost) {
  Job job;
  const char *hosts[] = {"a", "b", "a", "b"};
  for (unsigned rank = 0; rank < 4; ++rank) {
    World world = localWorld(rank, 4, job.port);
    world.localRank = world.localSize = 0;
    world.host = hosts[rank];
    job.startRank(world, "same", [](Peers &peers) {
      peers.leave();
      return std::to_string(peers.world().localRank) + " of " +
             std::to_string(peers.world().localSize);
    });
  }
  auto endings = job.processes.finish();
  EXPECT_EQ(endings[0].text, "0 of 2");
  EXPECT_EQ(endings[1].text, "0 of 2");
  EXPECT_EQ(endings[2].text, "1 of 2");
  EXPECT_EQ(endings[3].text, "1 of 2");
}

TEST(PeersTest, KilledRankIsNamedByAll) {
  Job job;
  job.start(4, [](Peers &peers) {
    peers.setStep(17);
    peers.setCollective("all_reduce @ model.mlir:3:1");
    peers.barrier();
    std::this_thread::sleep_for(
        std::chrono::milliseconds(400)); // a sign of life
    if (peers.world().rank == 2)
      raise(SIGKILL);
    peers.barrier();
    return std::string("not reached");
  });
  auto endings = job.processes.finish();
  EXPECT_EQ(endings[2].signal, SIGKILL);
  for (unsigned r : {0u, 1u, 3u}) {
    EXPECT_EQ(endings[r].code, 5);
    EXPECT_THAT(endings[r].text,
                HasSubstr("rank 2 on host host2 (step 17, last collective "
                          "all_reduce @ model.mlir:3:1): "));
    EXPECT_EQ(endings[r].text, endings[0].text);
    EXPECT_LT(endings[r].seconds, 3);
  }
}

TEST(PeersTest, KilledRankZeroIsNamedByAll) {
  Job job;
  job.start(3, [](Peers &peers) {
    peers.setStep(4);
    peers.barrier();
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    if (peers.world().rank == 0)
      raise(SIGKILL);
    peers.barrier();
    return std::string("not reached");
  });
  auto endings = job.processes.finish();
  for (unsigned r : {1u, 2u}) {
    EXPECT_EQ(endings[r].code, 5);
    EXPECT_THAT(endings[r].text, HasSubstr("rank 0 on host host0 (step 4): "));
  }
}

TEST(PeersTest, AFailureReachesAllWithItsCode) {
  for (unsigned culprit : {0u, 1u}) {
    Job job;
    job.start(3, [culprit](Peers &peers) {
      peers.setStep(9);
      peers.barrier();
      if (peers.world().rank == culprit)
        fail(ExitCode::Numerics, "loss is NaN");
      peers.barrier();
      return std::string("not reached");
    });
    for (auto &ending : job.processes.finish()) {
      EXPECT_EQ(ending.code, 7);
      auto n = std::to_string(culprit);
      EXPECT_EQ(ending.text,
                "rank " + n + " on host host" + n + " (step 9): loss is NaN");
    }
  }
}

/// What a broken collective reports does not hide who broke it.
TEST(PeersTest, ConsequencesAreNotTheCause) {
  Job job;
  job.start(3, [](Peers &peers) {
    peers.barrier();
    if (peers.world().rank == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      raise(SIGKILL);
    }
    fail(ExitCode::PeerLost, "connection closed by peer");
    return std::string();
  });
  auto endings = job.processes.finish();
  for (unsigned r : {0u, 2u}) {
    EXPECT_THAT(endings[r].text, HasSubstr("rank 1 on host host1: "));
    EXPECT_THAT(endings[r].text, Not(HasSubstr("connection closed by peer")));
  }
}

TEST(PeersTest, ABrokenCollectiveAloneIsACause) {
  Job job;
  job.start(2, [](Peers &peers) {
    if (peers.world().rank == 1)
      fail(ExitCode::PeerLost, "the network is down");
    peers.barrier();
    return std::string();
  });
  for (auto &ending : job.processes.finish()) {
    EXPECT_EQ(ending.code, 5);
    EXPECT_EQ(ending.text, "rank 1 on host host1: the network is down");
  }
}

TEST(PeersTest, TheHangingRankIsNamedNotThoseThatWait) {
  Job job;
  job.options.timeoutSeconds = 1;
  job.start(3, [](Peers &peers) {
    peers.setStep(3);
    for (int i = 0; i < 5; ++i)
      peers.setCollective("all_reduce " + std::to_string(i));
    if (peers.world().rank == 1) {
      // As llamarun does it: nothing else could end a main thread that hangs.
      auto watchdog = peers.onLost([](const PeerFailure &) { _exit(42); });
      std::this_thread::sleep_for(std::chrono::seconds(15));
    }
    // The others are inside the next collective, which does not end.
    peers.setCollective("all_reduce 5");
    for (;;) {
      peers.check();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return std::string();
  });
  auto endings = job.processes.finish();
  EXPECT_EQ(endings[1].code, 42);
  for (unsigned r : {0u, 2u}) {
    EXPECT_EQ(endings[r].code, 5);
    EXPECT_EQ(endings[r].text,
              "rank 1 on host host1 (step 3, last collective all_reduce 4): no "
              "progress for 1 s");
    EXPECT_LT(endings[r].seconds, 5);
  }
}

TEST(PeersTest, ASlowRankThatShowsProgressIsWaitedFor) {
  Job job;
  job.options.timeoutSeconds = 0.6;
  job.start(2, [](Peers &peers) {
    if (peers.world().rank == 1)
      for (int i = 0; i < 15; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        peers.progress();
      }
    peers.barrier();
    peers.leave();
    return std::string("done");
  });
  for (auto &ending : job.processes.finish())
    EXPECT_EQ(ending.text, "done");
}

TEST(PeersTest, AStoppedRankIsNamed) {
  Job job;
  job.options.timeoutSeconds = 0.7;
  job.start(3, [](Peers &peers) {
    peers.setStep(1);
    peers.barrier();
    if (peers.world().rank == 2)
      raise(SIGSTOP);
    peers.barrier();
    return std::string();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  kill(job.pids[2], SIGKILL);
  auto endings = job.processes.finish();
  for (unsigned r : {0u, 1u}) {
    EXPECT_EQ(endings[r].code, 5);
    EXPECT_THAT(endings[r].text, HasSubstr("rank 2 on host host2"));
    EXPECT_THAT(endings[r].text, HasSubstr("no sign of life for 0.7 s"));
  }
}

TEST(PeersTest, OnLostIsCalledOnceWhileTheMainThreadIsBlocked) {
  Job job;
  job.start(2, [](Peers &peers) {
    if (peers.world().rank == 1)
      raise(SIGKILL);
    std::atomic<int> calls = 0, dropped = 0;
    auto kept = peers.onLost([&](const PeerFailure &failure) {
      if (failure.rank == 1)
        ++calls;
    });
    {
      auto gone = peers.onLost([&](const PeerFailure &) { ++dropped; });
    }
    while (calls == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    // Subscribing late is not too late.
    std::atomic<bool> late = false;
    auto again = peers.onLost([&](const PeerFailure &) { late = true; });
    while (!late)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return std::to_string(calls) + " " + std::to_string(dropped);
  });
  EXPECT_THAT(job.processes.finish()[0].text, testing::StartsWith("1 "));
}

TEST(PeersTest, AnEndAfterGoodbyeIsNoFailure) {
  Job job;
  job.start(3, [](Peers &peers) {
    if (peers.world().rank == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    peers.leave();
    return std::string("done");
  });
  for (auto &ending : job.processes.finish())
    EXPECT_EQ(ending.text, "done");
}

TEST(PeersTest, EndingWithoutGoodbyeIsAFailure) {
  Job job;
  job.start(2, [](Peers &peers) {
    if (peers.world().rank == 1)
      return std::string("gone");
    peers.leave();
    return std::string("not reached");
  });
  EXPECT_THAT(job.processes.finish()[0].text, HasSubstr("rank 1"));
}

} // namespace
