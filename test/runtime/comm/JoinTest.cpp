// How ranks meet, and what they say when they do not.
#include "runtime/comm/Join.h"

#include "runtime/comm/Peers.h"
#include "test/runtime/comm/RankProcesses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <thread>

using namespace llamarun;
using namespace llamarun::test;
using testing::HasSubstr;

namespace {

std::string join(const World &world, const std::string &fingerprint,
                 double timeout) {
  auto peers =
      joinPeers(world, fingerprint, PeerOptions{.timeoutSeconds = timeout});
  peers->barrier();
  peers->leave();
  return "met";
}

/// Writes bytes to whoever listens there. \returns false if nobody does.
bool sendBytes(std::uint16_t port, const std::string &bytes) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  bool connected =
      connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0;
  if (connected)
    connected = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  close(fd);
  return connected;
}

TEST(JoinTest, DifferentFingerprintsNameTheRanks) {
  auto port = freePort();
  RankProcesses processes;
  for (unsigned rank = 0; rank < 4; ++rank)
    processes.start([=] {
      return join(localWorld(rank, 4, port), rank % 2 ? "plan B" : "plan A",
                  10);
    });
  for (auto &ending : processes.finish()) {
    EXPECT_EQ(ending.code, 3);
    EXPECT_THAT(ending.text, HasSubstr("ranks 1, 3 (host host1) and rank 0"));
    EXPECT_THAT(ending.text, HasSubstr("plan B against plan A"));
  }
}

TEST(JoinTest, DifferentWorldSizesAreRefused) {
  auto port = freePort();
  RankProcesses processes;
  processes.start([=] { return join(localWorld(0, 3, port), "x", 10); });
  World other = localWorld(1, 4, port);
  processes.start([=] { return join(other, "x", 10); });
  for (auto &ending : processes.finish()) {
    EXPECT_EQ(ending.code, 3);
    EXPECT_THAT(ending.text,
                HasSubstr("rank 1 on host host1 was started as one "
                          "of 4, rank 0 on host host0 as one of "
                          "3"));
  }
}

TEST(JoinTest, ARankTwiceIsRefused) {
  auto port = freePort();
  RankProcesses processes;
  for (unsigned rank : {0u, 1u, 1u})
    processes.start([=] { return join(localWorld(rank, 3, port), "x", 10); });
  for (auto &ending : processes.finish()) {
    EXPECT_EQ(ending.code, 3);
    EXPECT_THAT(ending.text, HasSubstr("another process has this rank"));
  }
}

TEST(JoinTest, MissingRanksAreNamed) {
  auto port = freePort();
  RankProcesses processes;
  for (unsigned rank : {0u, 2u})
    processes.start([=] { return join(localWorld(rank, 4, port), "x", 0.5); });
  for (auto &ending : processes.finish()) {
    EXPECT_EQ(ending.code, 5);
    EXPECT_THAT(ending.text, HasSubstr("ranks 1, 3 did not come within 0.5 s"));
  }
}

TEST(JoinTest, NobodyAnswers) {
  auto port = freePort();
  RankProcesses processes;
  processes.start([=] { return join(localWorld(1, 2, port), "x", 0.3); });
  auto ending = processes.finish()[0];
  EXPECT_EQ(ending.code, 5);
  EXPECT_THAT(ending.text, HasSubstr("rank 0 does not answer at 127.0.0.1"));
}

TEST(JoinTest, OneThatEndsBeforeAllAreThereEndsAll) {
  auto port = freePort();
  RankProcesses processes;
  processes.start([=] { return join(localWorld(0, 3, port), "x", 10); });
  pid_t killed =
      processes.start([=] { return join(localWorld(1, 3, port), "x", 10); });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  kill(killed, SIGKILL);
  auto ending = processes.finish()[0];
  EXPECT_EQ(ending.code, 5);
  EXPECT_THAT(ending.text, HasSubstr("rank 1 on host host1: ended while"));
  EXPECT_LT(ending.seconds, 5);
}

TEST(JoinTest, AnotherServiceOnThePortIsPassedBy) {
  // As torchrun's agent: it listens on MASTER_PORT and says nothing.
  auto port = freePort();
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)),
            0);
  ASSERT_EQ(listen(fd, 8), 0);
  RankProcesses processes;
  for (unsigned rank = 0; rank < 2; ++rank)
    processes.start([=] { return join(localWorld(rank, 2, port), "x", 15); });
  for (auto &ending : processes.finish())
    EXPECT_EQ(ending.text, "met");
  close(fd);
}

TEST(JoinTest, TwoJobsOnNeighbouringPortsDoNotMix) {
  auto port = freePort();
  RankProcesses processes;
  for (unsigned job = 0; job < 2; ++job)
    for (unsigned rank = 0; rank < 2; ++rank)
      processes.start([=] {
        World world = localWorld(rank, 2, port);
        world.job = "job" + std::to_string(job);
        return join(world, world.job, 15);
      });
  for (auto &ending : processes.finish())
    EXPECT_EQ(ending.text, "met");
}

TEST(JoinTest, GarbageOnThePortIsIgnored) {
  auto port = freePort();
  RankProcesses processes;
  processes.start([=] {
    World world = localWorld(0, 2, port);
    world.portCount = 1;
    return join(world, "x", 15);
  });
  std::mt19937 random(1);
  // A greeting that promises 2^60 bytes, a wrong kind, random bytes, nothing.
  std::vector<std::string> garbage = {std::string("\x02\0\0\0\0\0\0\0\x10", 9),
                                      "GET / HTTP/1.0\r\n\r\n", ""};
  for (int i = 0; i < 40; ++i) {
    std::string bytes(1 + random() % 5000, '\0');
    for (auto &byte : bytes)
      byte = static_cast<char>(random());
    if (i % 2)
      bytes[0] = static_cast<char>(1 + i % 11); // a kind that exists
    if (i % 4 == 3)
      bytes.replace(1, 8, std::string("\x20\0\0\0\0\0\0\0", 8));
    garbage.push_back(bytes);
  }
  int heard = 0;
  for (int i = 0; i < 200 && !heard; ++i) {
    heard += sendBytes(port, "");
    usleep(10000);
  }
  ASSERT_TRUE(heard);
  for (auto &bytes : garbage)
    sendBytes(port, bytes);
  processes.start([=] {
    World world = localWorld(1, 2, port);
    world.portCount = 1;
    return join(world, "x", 15);
  });
  for (auto &ending : processes.finish())
    EXPECT_EQ(ending.text, "met");
}

} // namespace
