#include "runtime/comm/World.h"

#include "runtime/support/Error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

using namespace llamarun;
using testing::HasSubstr;

namespace {

using Table = std::map<std::string, std::string>;

std::optional<World> worldOf(const Table &table) {
  return worldFromEnvironment(
      [&](const std::string &name) -> std::optional<std::string> {
        auto found = table.find(name);
        return found == table.end() ? std::nullopt
                                    : std::optional(found->second);
      });
}

Table with(Table table, const Table &changes) {
  for (auto &[name, value] : changes)
    if (value.empty())
      table.erase(name);
    else
      table[name] = value;
  return table;
}

std::string errorOf(const Table &table) {
  try {
    worldOf(table);
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::Usage);
    return error.what();
  }
  return "no error";
}

// What torchrun --nnodes=2 --nproc-per-node=4 gives rank 6.
const Table kTorch{{"RANK", "6"},
                   {"WORLD_SIZE", "8"},
                   {"LOCAL_RANK", "2"},
                   {"LOCAL_WORLD_SIZE", "4"},
                   {"MASTER_ADDR", "10.0.0.1"},
                   {"MASTER_PORT", "29500"},
                   {"TORCHELASTIC_RUN_ID", "abc"},
                   {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                   {"OMP_NUM_THREADS", "1"}};

TEST(WorldTest, NothingThere) {
  EXPECT_FALSE(worldOf({}));
  EXPECT_FALSE(worldOf({{"MASTER_ADDR", "a"}, {"SLURM_NTASKS", "4"}}));
}

TEST(WorldTest, Torchrun) {
  auto world = worldOf(kTorch);
  ASSERT_TRUE(world);
  EXPECT_EQ(world->rank, 6u);
  EXPECT_EQ(world->size, 8u);
  EXPECT_EQ(world->localRank, 2u);
  EXPECT_EQ(world->localSize, 4u);
  EXPECT_EQ(world->masterAddress, "10.0.0.1");
  EXPECT_EQ(world->masterPort, 29501) << "the agent listens on MASTER_PORT";
  EXPECT_GT(world->portCount, 1u);
  EXPECT_EQ(world->job, "abc/29500");
  EXPECT_EQ(world->host, hostName());
}

TEST(WorldTest, ByHand) {
  auto world = worldOf({{"RANK", "1"},
                        {"WORLD_SIZE", "2"},
                        {"MASTER_ADDR", "node"},
                        {"MASTER_PORT", "4000"}});
  ASSERT_TRUE(world);
  EXPECT_EQ(world->masterPort, 4000);
  EXPECT_EQ(world->portCount, 1u);
  EXPECT_EQ(world->localSize, 0u) << "unknown";
}

TEST(WorldTest, PortOfOurOwn) {
  auto world = worldOf(with(kTorch, {{"LLAMARUN_PORT", "31000"}}));
  EXPECT_EQ(world->masterPort, 31000);
  EXPECT_EQ(world->portCount, 1u);
}

TEST(WorldTest, TorchrunErrorsNameTheVariable) {
  EXPECT_THAT(errorOf(with(kTorch, {{"WORLD_SIZE", ""}})),
              HasSubstr("has RANK, but not WORLD_SIZE"));
  EXPECT_THAT(errorOf(with(kTorch, {{"RANK", ""}})), HasSubstr("not RANK"));
  EXPECT_THAT(errorOf(with(kTorch, {{"RANK", "8"}})),
              HasSubstr("RANK is 8, but WORLD_SIZE is 8"));
  EXPECT_THAT(errorOf(with(kTorch, {{"RANK", "-1"}})), HasSubstr("RANK is"));
  EXPECT_THAT(errorOf(with(kTorch, {{"RANK", "1x"}})), HasSubstr("RANK is"));
  EXPECT_THAT(errorOf(with(kTorch, {{"WORLD_SIZE", "0"}})),
              HasSubstr("WORLD_SIZE is"));
  EXPECT_THAT(errorOf(with(kTorch, {{"MASTER_ADDR", ""}})),
              HasSubstr("MASTER_ADDR"));
  EXPECT_THAT(errorOf(with(kTorch, {{"MASTER_PORT", ""}})),
              HasSubstr("MASTER_PORT"));
  EXPECT_THAT(errorOf(with(kTorch, {{"MASTER_PORT", "70000"}})),
              HasSubstr("MASTER_PORT is '70000'"));
  EXPECT_THAT(errorOf(with(kTorch, {{"LLAMARUN_PORT", "0"}})),
              HasSubstr("LLAMARUN_PORT"));
  EXPECT_THAT(errorOf(with(kTorch, {{"LOCAL_RANK", "4"}})),
              HasSubstr("LOCAL_RANK is 4"));
  EXPECT_THAT(errorOf(with(kTorch, {{"LOCAL_WORLD_SIZE", "9"}})),
              HasSubstr("LOCAL_WORLD_SIZE is 9"));
}

const Table kMpi{{"OMPI_COMM_WORLD_RANK", "1"},
                 {"OMPI_COMM_WORLD_SIZE", "2"},
                 {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                 {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                 {"PMIX_NAMESPACE", "12345.1"}};

TEST(WorldTest, OpenMpi) {
  auto world = worldOf(kMpi);
  ASSERT_TRUE(world);
  EXPECT_EQ(world->rank, 1u);
  EXPECT_EQ(world->localSize, 2u);
  EXPECT_EQ(world->masterAddress, "127.0.0.1");
  EXPECT_GE(world->masterPort, 20000);
  EXPECT_LT(world->masterPort, 32768);
  auto same = worldOf(with(kMpi, {{"OMPI_COMM_WORLD_RANK", "0"},
                                  {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}}));
  EXPECT_EQ(same->masterPort, world->masterPort);
  EXPECT_EQ(same->job, world->job);
  auto other = worldOf(with(kMpi, {{"PMIX_NAMESPACE", "12345.2"}}));
  EXPECT_NE(other->masterPort, world->masterPort);
}

TEST(WorldTest, OpenMpiOverHostsNeedsAnAddress) {
  auto two = with(kMpi, {{"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                         {"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}});
  EXPECT_THAT(errorOf(two), HasSubstr("MASTER_ADDR"));
  auto world =
      worldOf(with(two, {{"MASTER_ADDR", "nodeA"}, {"MASTER_PORT", "1234"}}));
  EXPECT_EQ(world->masterAddress, "nodeA");
  EXPECT_EQ(world->masterPort, 1234);
}

// srun -N2 -n6 inside a batch job.
const Table kSlurm{{"SLURM_PROCID", "5"},
                   {"SLURM_LOCALID", "1"},
                   {"SLURM_NODEID", "1"},
                   {"SLURM_NTASKS", "6"},
                   {"SLURM_STEP_NUM_TASKS", "6"},
                   {"SLURM_STEP_NUM_NODES", "2"},
                   {"SLURM_STEP_TASKS_PER_NODE", "4,2"},
                   {"SLURM_STEP_NODELIST", "gpu[07-08]"},
                   {"SLURM_JOB_NODELIST", "gpu[01-08]"},
                   {"SLURM_LAUNCH_NODE_IPADDR", "10.1.1.1"},
                   {"SLURM_JOB_ID", "991"},
                   {"SLURM_STEP_ID", "0"},
                   {"ENVIRONMENT", "BATCH"}};

TEST(WorldTest, Slurm) {
  auto world = worldOf(kSlurm);
  ASSERT_TRUE(world);
  EXPECT_EQ(world->rank, 5u);
  EXPECT_EQ(world->size, 6u);
  EXPECT_EQ(world->localRank, 1u);
  EXPECT_EQ(world->localSize, 2u);
  EXPECT_EQ(world->masterAddress, "gpu07");
  EXPECT_EQ(world->job, "991.0");
  EXPECT_EQ(worldOf(with(kSlurm, {{"MASTER_ADDR", "x"}}))->masterAddress, "x");
  EXPECT_EQ(worldOf(with(kSlurm, {{"SLURM_STEP_NODELIST", ""},
                                  {"SLURM_JOB_NODELIST", ""}}))
                ->masterAddress,
            "10.1.1.1");
  auto one = worldOf(
      with(kSlurm, {{"SLURM_STEP_NUM_NODES", "1"}, {"SLURM_LOCALID", "5"}}));
  EXPECT_EQ(one->masterAddress, "127.0.0.1");
  EXPECT_EQ(one->localSize, 6u);
}

TEST(WorldTest, SlurmBatchScriptIsNoTask) {
  EXPECT_FALSE(worldOf(with(kSlurm, {{"SLURM_STEP_ID", ""}})));
  EXPECT_FALSE(worldOf(with(kSlurm, {{"SLURM_STEP_ID", "4294967291"}})));
}

TEST(WorldTest, SlurmErrors) {
  EXPECT_THAT(errorOf(with(kSlurm, {{"SLURM_STEP_NUM_TASKS", ""},
                                    {"SLURM_NTASKS", ""}})),
              HasSubstr("SLURM_NTASKS"));
  EXPECT_THAT(errorOf(with(kSlurm, {{"SLURM_LOCALID", ""}})),
              HasSubstr("SLURM_LOCALID"));
  EXPECT_THAT(errorOf(with(kSlurm, {{"SLURM_PROCID", "6"}})),
              HasSubstr("SLURM_PROCID is 6"));
}

TEST(WorldTest, ExplicitRanksGoBeforeTheResourceManager) {
  auto both = kSlurm;
  both.insert(kTorch.begin(), kTorch.end());
  EXPECT_EQ(worldOf(both)->size, 8u);
}

TEST(WorldTest, FirstHosts) {
  EXPECT_EQ(firstHost("node"), "node");
  EXPECT_EQ(firstHost("a,b"), "a");
  EXPECT_EQ(firstHost("node[07-12,15],gpu3"), "node07");
  EXPECT_EQ(firstHost("node[3,5]"), "node3");
  EXPECT_EQ(firstHost("rack[1-2]-a"), "rack1-a");
  EXPECT_EQ(firstHost("rack[1-2]-a,b"), "rack1-a");
  EXPECT_EQ(firstHost("node["), "");
  EXPECT_EQ(firstHost("node[]"), "");
}

} // namespace
