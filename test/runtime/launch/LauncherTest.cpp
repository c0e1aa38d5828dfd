// The launcher with real processes: this program starts itself, as a supervisor
// ("supervise N BEHAVIOUR ...") that starts itself as ranks ("rank BEHAVIOUR").
#include "runtime/launch/Launcher.h"

#include "test/runtime/comm/RankProcesses.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <thread>

using namespace llamarun;
using namespace llamarun::test;
using testing::HasSubstr;
using testing::Not;

namespace {

/// What a rank does: steps with an exchange in each, as training would, until
/// `behaviour` says otherwise.
int runRank(const std::string &behaviour, const std::string &marks) {
  auto world = worldFromEnvironment(processEnvironment());
  if (!world)
    return 90;
  // Says that this rank runs, and in which process.
  std::ofstream(marks + "/" + std::to_string(world->rank)) << getpid();
  std::unique_ptr<Peers> peers;
  try {
    peers = joinPeers(*world, "test", PeerOptions{.timeoutSeconds = 20});
  } catch (const Error &error) {
    reportToLauncher(
        {PeerFailure::kJob, "", error.what(), error.code(), -1, ""});
    return static_cast<int>(error.code());
  }
  auto watchdog = peers->onLost([](const PeerFailure &failure) {
    reportToLauncher(failure);
    // The main thread may be stuck.
    std::thread([] {
      sleep(1);
      _Exit(5);
    }).detach();
  });
  auto is = [&](const char *what, unsigned rank) {
    return behaviour == what && world->rank == rank;
  };
  try {
    for (int step = 0; step < (behaviour == "short" ? 3 : 100000); ++step) {
      peers->setStep(step);
      peers->setCollective("all_reduce @ here");
      peers->barrier();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (step == 20 && is("numerics", 1))
        fail(ExitCode::Numerics, "loss is NaN");
      if (step == 200 && is("crash", 2))
        abort();
      if (step == 20 && is("quits", 1))
        _exit(4);
      if (step == 20 && is("stuck", 1))
        sleep(60); // the main thread does not see that rank 0 dies
      if (step == 20 && is("stuck", 0))
        usleep(300000), raise(SIGKILL);
    }
    printf("hello\nfrom %u\n", world->rank);
    fflush(stdout);
    peers->leave();
    return 0;
  } catch (const Error &error) {
    peers->fail(error);
    if (auto failure = peers->failure()) {
      reportToLauncher(*failure);
      return static_cast<int>(failure->code);
    }
    return 91;
  }
}

int supervise(int argc, char **argv) {
  LaunchOptions options;
  options.ranks = static_cast<unsigned>(std::atoi(argv[2]));
  options.arguments = {argv[0], "rank", argv[3], argv[4]};
  auto outcome = launchRanks(options);
  for (auto &cause : outcome.causes)
    printf("cause: %s\n", cause.c_str());
  fflush(stdout);
  return outcome.code;
}

/// A supervisor and its ranks, started by a test.
struct Launched {
  std::string marks = testing::TempDir() + "ranks-" + std::to_string(getpid()) +
                      "-" + std::to_string(next++);
  RankProcesses processes;
  pid_t supervisor;

  Launched(unsigned ranks, const std::string &behaviour) {
    std::filesystem::create_directory(marks);
    std::string count = std::to_string(ranks);
    supervisor = processes.start([=, this]() -> std::string {
      dup2(processes.output, 1);
      execl("/proc/self/exe", "launch-test", "supervise", count.c_str(),
            behaviour.c_str(), marks.c_str(), nullptr);
      return "not started";
    });
  }
  ~Launched() { std::filesystem::remove_all(marks); }

  /// The process of a rank, once it runs.
  pid_t pid(unsigned rank) const {
    for (int i = 0; i < 2000; ++i, usleep(5000)) {
      pid_t value = 0;
      if (std::ifstream(marks + "/" + std::to_string(rank)) >> value; value)
        return value;
    }
    return 0;
  }
  /// Whether a rank still runs: its process is there and no zombie.
  bool runs(unsigned rank) const {
    std::ifstream stat("/proc/" + std::to_string(pid(rank)) + "/stat");
    std::string number, name, state;
    return stat >> number >> name >> state && state != "Z";
  }
  Ending finish() { return processes.finish(30)[0]; }

  static int next;
};
int Launched::next = 0;

TEST(LauncherTest, RanksRunAndOtherRanksLinesAreTagged) {
  Launched run(3, "short");
  auto ending = run.finish();
  EXPECT_EQ(ending.code, 0);
  EXPECT_THAT(ending.text, HasSubstr("[rank 1] hello\n"));
  EXPECT_THAT(ending.text, HasSubstr("[rank 2] from 2\n"));
  EXPECT_THAT(ending.text, testing::ContainsRegex("(^|\n)from 0\n"));
}

TEST(LauncherTest, AFailureIsToldOnceAndItsCodeIsTheJobs) {
  Launched run(3, "numerics");
  auto ending = run.finish();
  EXPECT_EQ(ending.code, 7);
  EXPECT_EQ(ending.text, "cause: rank 1 on host " + hostName() +
                             " (step 20, last collective all_reduce @ here): "
                             "loss is NaN\n");
}

TEST(LauncherTest, ACrashIsNamedWithItsSignalAndStep) {
  Launched run(4, "crash");
  auto ending = run.finish();
  EXPECT_EQ(ending.code, 5);
  EXPECT_THAT(ending.text, HasSubstr("cause: rank 2 on host " + hostName()));
  EXPECT_THAT(ending.text, HasSubstr("(step "));
  EXPECT_THAT(ending.text, HasSubstr("killed by signal 6 (SIGABRT)\n"));
  EXPECT_EQ(std::ranges::count(ending.text, '\n'), 1) << ending.text;
}

TEST(LauncherTest, ARankThatIsStuckIsEnded) {
  Launched run(3, "stuck");
  auto ending = run.finish();
  EXPECT_EQ(ending.code, 5);
  EXPECT_THAT(ending.text, HasSubstr("rank 0"));
  EXPECT_THAT(ending.text, HasSubstr("killed by signal 9 (SIGKILL)"));
  EXPECT_THAT(ending.text, Not(HasSubstr("rank 1")));
  EXPECT_LT(ending.seconds, 10);
}

TEST(LauncherTest, ARankThatEndsWithoutAReport) {
  Launched run(2, "quits");
  auto ending = run.finish();
  EXPECT_EQ(ending.code, 5) << "rank 0 was told that rank 1 is gone";
  EXPECT_THAT(ending.text, HasSubstr("cause: rank 1 on host"));
}

TEST(LauncherTest, AnyRankAtAnyTime) {
  std::mt19937 random(3);
  for (int i = 0; i < 8; ++i) {
    Launched run(3, "long");
    unsigned victim = random() % 3;
    pid_t pid = run.pid(victim);
    usleep(random() % 100000);
    kill(pid, SIGKILL);
    double killed = run.processes.elapsed();
    auto ending = run.finish();
    EXPECT_EQ(ending.code, 5);
    EXPECT_LT(ending.seconds - killed, 5);
    EXPECT_THAT(ending.text, HasSubstr("cause: rank " + std::to_string(victim) +
                                       " on host "));
    EXPECT_THAT(ending.text, HasSubstr("killed by signal 9 (SIGKILL)"));
    EXPECT_EQ(std::ranges::count(ending.text, '\n'), 1) << ending.text;
    for (unsigned r = 0; r < 3; ++r)
      if (std::filesystem::exists(run.marks + "/" + std::to_string(r)))
        EXPECT_FALSE(run.runs(r));
  }
}

TEST(LauncherTest, NoRankOutlivesTheSupervisor) {
  Launched run(3, "long");
  for (unsigned r = 0; r < 3; ++r)
    ASSERT_TRUE(run.pid(r));
  kill(run.supervisor, SIGKILL);
  run.finish();
  for (int i = 0; i < 400 && (run.runs(0) || run.runs(1) || run.runs(2)); ++i)
    usleep(5000);
  for (unsigned r = 0; r < 3; ++r)
    EXPECT_FALSE(run.runs(r));
}

TEST(LauncherTest, SignalsArePassedOn) {
  for (int signal : {SIGINT, SIGTERM}) {
    Launched run(2, "long");
    ASSERT_TRUE(run.pid(0) && run.pid(1));
    kill(run.supervisor, signal);
    auto ending = run.finish();
    EXPECT_EQ(ending.code, 128 + signal);
    EXPECT_EQ(ending.text, "") << "asked for, no failure";
    EXPECT_FALSE(run.runs(0));
    EXPECT_FALSE(run.runs(1));
  }
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 4 && !strcmp(argv[1], "rank"))
    return runRank(argv[2], argv[3]);
  if (argc == 5 && !strcmp(argv[1], "supervise"))
    return supervise(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
