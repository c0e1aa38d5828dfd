// Time of collectives as a session runs them: N processes of this host, Gloo on
// CPUs, NCCL on GPUs (the calls of one step in one CUDA graph).
//
//   bench_collectives [cpu|cuda] [ranks] [kind: reduce|gather|scatter]
//
// Prints microseconds a call (the slowest rank's median) and the bus bandwidth:
// what each rank sends at least, over the time.
#include "runtime/comm/Communicator.h"
#include "runtime/executor/Session.h"
#include "runtime/plan/Ledger.h"
#include "runtime/support/Error.h"
#include "test/runtime/comm/CommPlan.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace llamarun;
using namespace llamarun::test;

namespace {

struct Job {
  std::string device = "cpu", kind = "reduce";
  unsigned ranks = 2;

  bool gpu() const { return device == "cuda"; }
  unsigned calls() const { return gpu() ? 127 : 8; }
  unsigned repeats() const { return gpu() ? 10 : 15; }
  fb::DType dtype() const { return gpu() ? fb::DType::BF16 : fb::DType::F32; }
  /// Rows of 4096 elements.
  std::vector<std::uint32_t> rows() const {
    if (gpu())
      return {1, 64, 100, 128, 256, 512, 1024, 8192, 20992};
    return {1, 4, 16, 64, 256, 1024};
  }
  /// A program for each number of rows.
  PlanBuilder plan() const {
    auto b = gridPlan(1, ranks, device);
    if (gpu())
      b.plan.target->arch = "sm_90";
    auto act = fb::Category::Activations;
    for (auto count : rows()) {
      auto x = b.buffer(act, dtype(), {count, 4096});
      auto part = b.buffer(act, dtype(), {count, 4096 / ranks});
      auto &program = b.program(fb::ProgramKind::Evaluate, count, 1);
      for (unsigned i = 0; i < calls(); ++i)
        if (kind == "gather")
          collective(program, fb::CollectiveKind::AllGather, {1}, part, x);
        else if (kind == "scatter")
          collective(program, fb::CollectiveKind::ReduceScatterSum, {1}, x,
                     part);
        else
          collective(program, fb::CollectiveKind::AllReduceSum, {1}, x, x);
    }
    return b;
  }
};

void runRank(const Job &job, unsigned rank, std::uint16_t port) {
  World world;
  world.rank = world.localRank = rank;
  world.size = world.localSize = job.ranks;
  world.masterPort = port;
  auto peers = joinPeers(world, "bench_collectives");
  auto plan = job.plan().load();
  auto device = createDevice(job.device, {.threads = 1, .ordinal = rank});
  auto name = device->name();
  auto communicators = createCommunicators(*plan, *peers, *device);
  {
    Session session(plan, std::move(device),
                    {.communicators = communicators.get()});
    if (rank == 0)
      std::printf("%u ranks, %s, %s, %u calls a run\n%10s %12s %10s %10s\n",
                  job.ranks, name.c_str(), job.kind.c_str(), job.calls(),
                  "rows", "bytes", "us/call", "GB/s");
    for (std::size_t p = plan->programCount(); p-- > 0;)
      session.prepare(plan->program(p)); // the largest first
    for (std::size_t p = 0; p < plan->programCount(); ++p) {
      auto &program = plan->program(p);
      std::vector<double> seconds;
      for (unsigned i = 0; i < job.repeats() + 2; ++i) {
        peers->barrier();
        auto run = session.run(program);
        if (i > 1)
          seconds.push_back(run.seconds());
        else
          run.wait();
      }
      std::sort(seconds.begin(), seconds.end());
      double mine = seconds[seconds.size() / 2] / job.calls(), slowest = 0;
      std::string bytes(reinterpret_cast<char *>(&mine), sizeof mine);
      for (auto &text : peers->allGather(bytes)) {
        double theirs;
        std::memcpy(&theirs, text.data(), sizeof theirs);
        slowest = std::max(slowest, theirs);
      }
      auto entry = ledgerOf(*plan, program).front();
      double factor =
          (job.kind == "reduce" ? 2.0 : 1.0) * (job.ranks - 1) / job.ranks;
      if (rank == 0)
        std::printf("%10u %12llu %10.1f %10.2f\n", program.tokens(),
                    static_cast<unsigned long long>(entry.bytes), slowest * 1e6,
                    1e-9 * factor * static_cast<double>(entry.bytes) / slowest);
    }
    peers->leave();
  }
}

} // namespace

int main(int argc, char **argv) {
  Job job;
  if (argc > 1)
    job.device = argv[1];
  if (argc > 2)
    job.ranks = static_cast<unsigned>(std::atoi(argv[2]));
  if (argc > 3)
    job.kind = argv[3];
  bool known =
      (job.device == "cpu" || job.gpu()) &&
      (job.kind == "reduce" || job.kind == "gather" || job.kind == "scatter");
  if (!known || job.ranks < 1 || 4096 % job.ranks) {
    std::fprintf(stderr,
                 "usage: %s [cpu|cuda] [ranks, a divisor of 4096] "
                 "[reduce|gather|scatter]\n",
                 argv[0]);
    return 2;
  }
  auto port = static_cast<std::uint16_t>(20000 + ::getpid() % 20000);
  std::vector<pid_t> children;
  for (unsigned rank = 0; rank < job.ranks; ++rank) {
    auto child = ::fork();
    if (child == 0) {
      int code = 0;
      try {
        runRank(job, rank, port);
      } catch (const Error &error) {
        std::fprintf(stderr, "rank %u: %s\n", rank, error.what());
        code = static_cast<int>(error.code());
      }
      std::fflush(stdout);
      std::_Exit(code);
    }
    children.push_back(child);
  }
  int worst = 0;
  for (auto child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    worst = std::max(worst, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  return worst;
}
