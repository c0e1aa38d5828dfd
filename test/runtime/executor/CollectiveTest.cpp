// Collectives as steps of a session: two and four ranks, each a thread.
#include "runtime/comm/Communicator.h"
#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"
#include "test/runtime/comm/CommPlan.h"
#include "test/runtime/comm/ThreadPeers.h"

#include <gtest/gtest.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

using enum fb::CollectiveKind;
using Floats = std::vector<float>;

template <typename T> auto bytesOf(std::vector<T> &v) {
  return std::as_writable_bytes(std::span(v));
}

/// logits[4, 2] = sum over tp of x; w = w summed over dp on a second stream
/// beside it; then gathered = parts of both axes.
PlanBuilder sumPlan(unsigned dp, unsigned tp) {
  using enum fb::DType;
  auto b = gridPlan(dp, tp);
  auto x = b.tensor(fb::Role::Weight, "x", {4, 2});
  auto w = b.tensor(fb::Role::Weight, "w", {100});
  auto part = b.tensor(fb::Role::Weight, "part", {3});
  auto all = b.tensor(fb::Role::Weight, "all", {std::uint64_t{dp} * tp, 3});
  auto &program = b.program(fb::ProgramKind::Evaluate, 4, 4);
  program.streams = 2;
  collective(program, AllReduceSum, {0}, w, w, 1);
  collective(program, AllReduceSum, {1}, x, program.outputs.back()->buffer, 0,
             {0});
  collective(program, AllGather, {0, 1}, part, all, 1, {1});
  return b;
}

TEST(Collective, RunsInASession) {
  for (bool debugSync : {false, true})
    runRanks(4, [debugSync](ThreadPeers &peers) {
      auto plan = sumPlan(2, 2).load();
      auto device = createDevice("cpu", {.threads = 2});
      auto communicators = createCommunicators(*plan, peers, *device);
      Session session(
          plan, std::move(device),
          {.communicators = communicators.get(), .debugSync = debugSync});
      auto r = static_cast<float>(peers.world().rank);
      Floats x(8, 1 + r), w(100, 10 + r), part(3, r), logits(8), all(12);
      session.writeTensor(fb::Role::Weight, "x", bytesOf(x));
      session.writeTensor(fb::Role::Weight, "w", bytesOf(w));
      session.writeTensor(fb::Role::Weight, "part", bytesOf(part));
      auto *program = session.find(fb::ProgramKind::Evaluate, 4, 4);
      session.run(*program);
      auto run = session.run(*program);
      run.read("logits", bytesOf(logits));
      EXPECT_EQ(logits, Floats(8, r < 2 ? 3.f : 7.f)); // 1 + 2, 3 + 4
      session.readTensor(fb::Role::Weight, "w", bytesOf(w));
      // 10 + 12 and 11 + 13, then doubled by the second run.
      EXPECT_EQ(w, Floats(100, peers.world().rank % 2 ? 48.f : 44.f));
      session.readTensor(fb::Role::Weight, "all", bytesOf(all));
      EXPECT_EQ(all, (Floats{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}));
      peers.leave();
    });
}

// A GPU runs whole graphs: what may be under way is told by program.
TEST(Collective, TitleOfAProgram) {
  auto plan = sumPlan(2, 2).load();
  EXPECT_EQ(collectivesOf(*plan, plan->program(0)),
            "test.fb: program 'evaluate_4', one of 3 collectives from step 0 "
            "(all_reduce sum over dp, loc(\"test.mlir\":1:1)) to step 2 "
            "(all_gather over dp,tp, loc(\"test.mlir\":1:1))");
  plan = sumPlan(1, 1).load();
  EXPECT_EQ(collectivesOf(*plan, plan->program(0)), "");
}

// Without communicators a plan for one device copies, another is refused.
TEST(Collective, OneDeviceNeedsNobody) {
  Session session(sumPlan(1, 1).load(), createDevice("cpu", {.threads = 1}));
  Floats x{1, 2, 3, 4, 5, 6, 7, 8}, logits(8);
  session.writeTensor(fb::Role::Weight, "x", bytesOf(x));
  session.run(*session.find(fb::ProgramKind::Evaluate, 4, 4))
      .read("logits", bytesOf(logits));
  EXPECT_EQ(logits, x);
  EXPECT_THROW(
      Session(sumPlan(2, 1).load(), createDevice("cpu", {.threads = 1})),
      Error);
}

TEST(Collective, LostPeerNamesProgramStepAndLocation) {
  for (bool debugSync : {false, true})
    runRanks(2, [debugSync](ThreadPeers &peers) {
      auto plan = sumPlan(1, 2).load();
      auto device = createDevice("cpu", {.threads = 2});
      auto communicators = createCommunicators(*plan, peers, *device);
      peers.barrier(); // both are connected
      if (peers.world().rank == 1) {
        communicators.reset();
        peers.fail(Error(ExitCode::Numerics, "rank 1 saw a NaN"));
        return;
      }
      Session session(
          plan, std::move(device),
          {.communicators = communicators.get(), .debugSync = debugSync});
      auto *program = session.find(fb::ProgramKind::Evaluate, 4, 4);
      for (int i = 0; i < 2; ++i) // the second attempt fails like the first
        try {
          session.run(*program);
          ADD_FAILURE() << "no error";
        } catch (const Error &error) {
          EXPECT_EQ(error.code(), ExitCode::Numerics);
          EXPECT_STREQ(error.what(),
                       "test.fb: program 'evaluate_4', step 1 (all_reduce sum "
                       "over tp, loc(\"test.mlir\":1:1)): rank 1 saw a NaN");
        }
    });
}

} // namespace
