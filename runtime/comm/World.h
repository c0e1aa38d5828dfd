//===- World.h - Where this process stands in a job ------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace llamarun {

/// One process among those that run a plan together; a rank drives one device.
struct World {
  unsigned rank = 0;      ///< of `size`, over all hosts
  unsigned size = 1;      ///< processes of the job
  unsigned localRank = 0; ///< of `localSize`, on this host: the GPU it takes
  unsigned localSize = 1; ///< 0: unknown; joinPeers counts the ranks of a host
  std::string masterAddress = "127.0.0.1"; ///< rank 0's host
  std::uint16_t masterPort = 0;            ///< 0 if size == 1
  /// Rank 0 takes the first free one of masterPort, masterPort + 1, ...; the
  /// others look for it there.
  unsigned portCount = 1;
  /// What the launcher calls this job, so that two jobs on one host whose ports
  /// are neighbours do not meet.
  std::string job;
  std::string host; ///< this host's name, for messages

  bool alone() const { return size == 1; }
};

/// Looks a variable up: std::getenv, or a table in a test.
using Environment =
    std::function<std::optional<std::string>(const std::string &name)>;
Environment processEnvironment();

/// What a launcher put into the environment, in this order of precedence:
///   RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT and, if known, LOCAL_RANK,
///     LOCAL_WORLD_SIZE (torchrun; by hand). Where torchrun's agent listens on
///     MASTER_PORT itself (TORCHELASTIC_USE_AGENT_STORE), the ports after it;
///   OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK, _LOCAL_SIZE (OpenMPI), and
///     MASTER_ADDR if there is more than one host;
///   SLURM_PROCID, SLURM_STEP_NUM_TASKS or SLURM_NTASKS, SLURM_LOCALID and the
///     node list, whose first host has rank 0. The batch script of sbatch is no
///     task.
/// MASTER_ADDR and MASTER_PORT count everywhere, LLAMARUN_PORT before
/// MASTER_PORT. Nothing of it: no value; the caller then starts the ranks
/// itself. \throws Error(Usage) naming the variable that is missing, malformed
/// or contradicts another.
std::optional<World> worldFromEnvironment(const Environment &environment);

/// The first host of a Slurm node list: "node[07-12,15],gpu3" is "node07".
std::string firstHost(const std::string &nodeList);

/// This machine's name.
std::string hostName();

} // namespace llamarun
