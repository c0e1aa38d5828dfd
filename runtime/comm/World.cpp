#include "runtime/comm/World.h"

#include "runtime/support/Error.h"

#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <unistd.h>

namespace llamarun {

Environment processEnvironment() {
  return [](const std::string &name) -> std::optional<std::string> {
    const char *value = std::getenv(name.c_str());
    // An empty variable is as good as none.
    return value && *value ? std::optional<std::string>(value) : std::nullopt;
  };
}

std::string hostName() {
  char name[256] = "";
  if (gethostname(name, sizeof(name) - 1) || !*name)
    return "localhost";
  return name;
}

std::string firstHost(const std::string &nodeList) {
  std::size_t end = nodeList.find_first_of("[,");
  std::string host = nodeList.substr(0, end);
  if (end == nodeList.npos || nodeList[end] == ',')
    return host;
  std::size_t close = nodeList.find(']', end);
  std::size_t number = nodeList.find_first_of(",-]", end + 1);
  if (close == nodeList.npos || number == end + 1)
    return {};
  host += nodeList.substr(end + 1, number - end - 1);
  // What follows the bracket belongs to the name: "rack[1-2]-a".
  std::size_t rest = nodeList.find_first_of("[,", close + 1);
  return host + nodeList.substr(
                    close + 1, rest == nodeList.npos ? rest : rest - close - 1);
}

namespace {

constexpr unsigned kMostRanks = 1u << 16;
/// Ports to try where the launcher did not give us one of our own.
constexpr unsigned kPortCount = 8;

class Reader {
public:
  explicit Reader(const Environment &environment) : environment(environment) {}

  bool has(const std::string &name) const {
    return environment(name).has_value();
  }
  std::optional<std::string> text(const std::string &name) const {
    return environment(name);
  }
  /// The first of `names` that is set.
  std::optional<std::string>
  first(std::initializer_list<const char *> names) const {
    for (const char *name : names)
      if (auto value = environment(name))
        return value;
    return std::nullopt;
  }
  std::string need(const std::string &name, const char *beside) const {
    if (auto value = environment(name))
      return *value;
    fail(ExitCode::Usage, "the environment has ", beside, ", but not ", name);
  }
  static unsigned number(const std::string &name, const std::string &value,
                         unsigned least, unsigned most) {
    unsigned result = 0;
    const char *end = value.data() + value.size();
    auto [rest, error] = std::from_chars(value.data(), end, result);
    if (error != std::errc() || rest != end || result < least || result > most)
      fail(ExitCode::Usage, "the environment's ", name, " is '",
           value.substr(0, 40), "', not a number from ", least, " to ", most);
    return result;
  }
  unsigned number(const std::string &name, const char *beside, unsigned least,
                  unsigned most) const {
    return number(name, need(name, beside), least, most);
  }

private:
  const Environment &environment;
};

void checkRank(const std::string &rankName, unsigned rank,
               const std::string &sizeName, unsigned size) {
  if (rank >= size)
    fail(ExitCode::Usage, "the environment's ", rankName, " is ", rank,
         ", but ", sizeName, " is ", size, ": ranks go from 0 to ", size - 1);
}

/// LOCAL_RANK and LOCAL_WORLD_SIZE or what another launcher calls them; either
/// may be missing.
void readLocal(const Reader &env, World &world, const std::string &rankName,
               const std::string &sizeName) {
  world.localSize = 0;
  if (auto size = env.text(sizeName)) {
    world.localSize = Reader::number(sizeName, *size, 1, kMostRanks);
    if (world.localSize > world.size)
      fail(ExitCode::Usage, "the environment's ", sizeName, " is ",
           world.localSize, ", more than all ", world.size, " ranks");
  }
  if (auto rank = env.text(rankName)) {
    world.localRank = Reader::number(rankName, *rank, 0, kMostRanks - 1);
    if (world.localSize)
      checkRank(rankName, world.localRank, sizeName, world.localSize);
    else
      checkRank(rankName, world.localRank, "the number of ranks", world.size);
  } else {
    world.localSize = 0; // a size alone does not say which GPU
  }
}

/// The same port for all processes of a job that has a name but no port.
std::uint16_t portOf(const std::string &job) {
  std::uint32_t hash = 2166136261u; // FNV-1a
  for (unsigned char c : job)
    hash = (hash ^ c) * 16777619u;
  // Below the ports that Linux gives to outgoing connections (32768 on).
  return static_cast<std::uint16_t>(20000 + hash % 1500 * kPortCount);
}

void readPort(const Reader &env, World &world, const char *beside,
              bool required) {
  if (auto port = env.text("LLAMARUN_PORT")) {
    world.masterPort = static_cast<std::uint16_t>(
        Reader::number("LLAMARUN_PORT", *port, 1, 65535));
    return;
  }
  if (!required && !env.has("MASTER_PORT")) {
    world.masterPort = portOf(world.job);
    world.portCount = kPortCount;
    return;
  }
  world.masterPort =
      static_cast<std::uint16_t>(env.number("MASTER_PORT", beside, 1, 65535));
  // Free when our own launcher chose it; it need not be any more.
  if (env.has("LLAMARUN_JOB") && world.masterPort <= 65535 - kPortCount)
    world.portCount = kPortCount;
  // torchrun's agent answers on MASTER_PORT itself.
  auto agent = env.text("TORCHELASTIC_USE_AGENT_STORE");
  if (agent && (*agent == "True" || *agent == "1" || *agent == "true")) {
    if (world.masterPort > 65535 - kPortCount)
      fail(ExitCode::Usage, "the environment's MASTER_PORT is ",
           world.masterPort,
           ": no room for a port after it; set LLAMARUN_PORT");
    ++world.masterPort;
    world.portCount = kPortCount;
  }
}

World fromTorch(const Reader &env) {
  World world;
  world.size = env.number("WORLD_SIZE", "RANK", 1, kMostRanks);
  world.rank = env.number("RANK", "WORLD_SIZE", 0, kMostRanks - 1);
  checkRank("RANK", world.rank, "WORLD_SIZE", world.size);
  readLocal(env, world, "LOCAL_RANK", "LOCAL_WORLD_SIZE");
  world.job = env.first({"LLAMARUN_JOB", "TORCHELASTIC_RUN_ID"}).value_or("") +
              "/" + env.first({"MASTER_PORT", "LLAMARUN_PORT"}).value_or("");
  if (world.size == 1)
    return world;
  world.masterAddress = env.need("MASTER_ADDR", "RANK and WORLD_SIZE");
  readPort(env, world, "RANK and WORLD_SIZE", true);
  return world;
}

World fromOpenMpi(const Reader &env) {
  const char *beside = "OMPI_COMM_WORLD_RANK";
  World world;
  world.size = env.number("OMPI_COMM_WORLD_SIZE", beside, 1, kMostRanks);
  world.rank = env.number("OMPI_COMM_WORLD_RANK", beside, 0, kMostRanks - 1);
  checkRank("OMPI_COMM_WORLD_RANK", world.rank, "OMPI_COMM_WORLD_SIZE",
            world.size);
  readLocal(env, world, "OMPI_COMM_WORLD_LOCAL_RANK",
            "OMPI_COMM_WORLD_LOCAL_SIZE");
  world.job =
      env.first({"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}).value_or("mpi");
  if (world.size == 1)
    return world;
  if (auto address = env.text("MASTER_ADDR"))
    world.masterAddress = *address;
  else if (world.localSize != world.size)
    fail(ExitCode::Usage, "mpirun over several hosts does not say where rank 0 "
                          "is: give its host, mpirun -x MASTER_ADDR=HOST");
  readPort(env, world, beside, false);
  return world;
}

/// The entry of this node in "2(x3),1": tasks on each node. 0 if unknown.
unsigned tasksOnNode(const std::string &list, unsigned node) {
  std::size_t at = 0;
  while (at < list.size()) {
    std::size_t end = std::min(list.find(',', at), list.size());
    std::string entry = list.substr(at, end - at);
    std::size_t bracket = entry.find("(x");
    unsigned repeat = 1;
    if (bracket != entry.npos)
      repeat = static_cast<unsigned>(
          std::strtoul(entry.c_str() + bracket + 2, nullptr, 10));
    if (node < repeat)
      return static_cast<unsigned>(std::strtoul(entry.c_str(), nullptr, 10));
    node -= repeat;
    at = end + 1;
  }
  return 0;
}

World fromSlurm(const Reader &env) {
  const char *beside = "SLURM_PROCID";
  World world;
  const char *sizeName =
      env.has("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  world.size = env.number(sizeName, beside, 1, kMostRanks);
  world.rank = env.number("SLURM_PROCID", beside, 0, kMostRanks - 1);
  checkRank("SLURM_PROCID", world.rank, sizeName, world.size);
  world.localRank = env.number("SLURM_LOCALID", beside, 0, kMostRanks - 1);
  checkRank("SLURM_LOCALID", world.localRank, sizeName, world.size);
  auto nodes = env.first({"SLURM_STEP_NUM_NODES", "SLURM_NNODES"});
  bool oneNode = nodes && *nodes == "1";
  unsigned node = Reader::number(
      "SLURM_NODEID", env.text("SLURM_NODEID").value_or("0"), 0, kMostRanks);
  world.localSize = 0;
  if (oneNode)
    world.localSize = world.size;
  else if (auto tasks =
               env.first({"SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"}))
    world.localSize = std::min(tasksOnNode(*tasks, node), world.size);
  // Rather unknown than contradictory.
  if (world.localRank >= world.localSize)
    world.localSize = 0;
  world.job = env.first({"SLURM_JOB_ID", "SLURM_JOBID"}).value_or("slurm") +
              "." + env.first({"SLURM_STEP_ID", "SLURM_STEPID"}).value_or("");
  if (world.size == 1)
    return world;
  if (auto address = env.text("MASTER_ADDR")) {
    world.masterAddress = *address;
  } else if (!oneNode) {
    auto list = env.first(
        {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"});
    // The address srun was started on: rank 0's only if that is a node of the
    // job, hence the last resort.
    std::string host = list ? firstHost(*list)
                            : env.text("SLURM_LAUNCH_NODE_IPADDR").value_or("");
    if (host.empty())
      fail(ExitCode::Usage, "the environment has SLURM_PROCID, but neither "
                            "MASTER_ADDR nor a readable SLURM_STEP_NODELIST");
    world.masterAddress = host;
  }
  readPort(env, world, beside, false);
  return world;
}

/// A batch script has SLURM_PROCID=0, too, but is not started by srun.
bool isBatchScript(const Reader &env) {
  auto step = env.first({"SLURM_STEP_ID", "SLURM_STEPID"});
  return env.text("ENVIRONMENT") == "BATCH" && (!step || *step == "4294967291");
}

} // namespace

std::optional<World> worldFromEnvironment(const Environment &environment) {
  Reader env(environment);
  std::optional<World> world;
  if (env.has("RANK") || env.has("WORLD_SIZE"))
    world = fromTorch(env);
  else if (env.has("OMPI_COMM_WORLD_RANK") || env.has("OMPI_COMM_WORLD_SIZE"))
    world = fromOpenMpi(env);
  else if (env.has("SLURM_PROCID") && !isBatchScript(env))
    world = fromSlurm(env);
  if (world) {
    world->host = hostName();
    if (world->size == 1)
      world->localSize = 1;
  }
  return world;
}

} // namespace llamarun
