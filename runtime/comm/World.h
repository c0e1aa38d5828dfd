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
  unsigned localSize = 1;
  std::string masterAddress = "127.0.0.1"; ///< rank 0's host
  std::uint16_t masterPort = 0;            ///< 0 if size == 1
  std::string host;                        ///< this host's name, for messages

  bool alone() const { return size == 1; }
};

/// Looks a variable up: std::getenv, or a table in a test.
using Environment =
    std::function<std::optional<std::string>(const std::string &name)>;
Environment processEnvironment();

/// What a launcher put into the environment: torchrun's RANK, WORLD_SIZE,
/// LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, OpenMPI's
/// OMPI_COMM_WORLD_*, Slurm's SLURM_*. Nothing of it: no value; the caller then
/// starts the ranks itself. \throws Error(Usage) naming the variable that is
/// missing, malformed or contradicts another.
std::optional<World> worldFromEnvironment(const Environment &environment);

} // namespace llamarun
