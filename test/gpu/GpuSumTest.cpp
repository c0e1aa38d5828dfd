// sum-plan.mlir, compiled, on two GPUs: two ranks, each a thread with a device
// of its own, whose row kernels exchange their terms; the same with NCCL taking
// the sums. The plan is $LLAMAC_GPU_SUM_PLAN or the one this build made.
#include "runtime/comm/Communicator.h"
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"
#include "test/runtime/comm/ThreadPeers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

using namespace llamarun;
using namespace llamarun::test;

namespace {

constexpr std::size_t kRows = 255, kColumns = 512, kCount = kRows * kColumns;
constexpr struct {
  std::uint64_t tokens;
  std::size_t rows;
} kPrograms[] = {{16, 15}, {64, 63}, {256, 255}};

/// A small whole number, -0 here and there: every order of sums is exact.
float value(unsigned run, unsigned rank, std::size_t i) {
  auto hash = static_cast<std::uint32_t>(i * 2654435761u + run * 40503u +
                                         rank * 2246822519u);
  hash ^= hash >> 15;
  auto x = static_cast<float>(hash % 61) - 30;
  return hash % 7 == 0 ? -0.0f : x;
}
std::uint16_t toHalf(float value) { // exact for small integers
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<std::uint16_t>(bits >> 16);
}
template <typename T> auto bytesOf(std::vector<T> &v) {
  return std::as_writable_bytes(std::span(v));
}

void put(Session &session, unsigned run, unsigned rank) {
  std::vector<float> floats(kCount), x(kCount), none(kCount, -1e30f);
  std::vector<std::uint16_t> halves(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    floats[i] = value(run, rank, i);
    halves[i] = toHalf(value(run + 100, rank, i));
    x[i] = static_cast<float>(i % 91);
  }
  auto write = [&](const char *name, auto &values) {
    session.writeTensor(fb::Role::Weight, name, bytesOf(values));
  };
  write("floats", floats);
  write("halves", halves);
  write("x", x);
  write("ofFloats", none);
  write("ofHalves", none);
}

void check(Session &session, unsigned run, std::size_t rows) {
  for (bool half : {false, true}) {
    std::vector<float> result(kCount);
    session.readTensor(fb::Role::Weight, half ? "ofHalves" : "ofFloats",
                       bytesOf(result));
    auto term = [&](std::size_t i) {
      unsigned from = run + (half ? 100 : 0);
      return value(from, 0, i) + value(from, 1, i);
    };
    for (std::size_t r = 0; r < kRows; ++r) {
      float total = 0;
      for (std::size_t c = 0; c < kColumns; ++c)
        total += term(r * kColumns + c);
      for (std::size_t c = 0; c < kColumns; ++c) {
        auto i = r * kColumns + c;
        float expected =
            r < rows ? static_cast<float>(i % 91) + term(i) + total : -1e30f;
        ASSERT_EQ(result[i], expected)
            << (half ? "bf16" : "f32") << " row " << r << " column " << c
            << " run " << run;
      }
    }
  }
}

class GpuSum : public testing::TestWithParam<const char *> {};

// Runs of different sizes in turn: what a call leaves the next must be empty.
TEST_P(GpuSum, KernelsAddTermsOfBothGpus) {
  const char *path = std::getenv("LLAMAC_GPU_SUM_PLAN");
  std::string file = path ? path : LLAMAC_GPU_SUM_PLAN_DEFAULT;
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "no plan: " << file;
  try {
    createDevice("cuda", {.ordinal = 1});
  } catch (const Error &error) {
    GTEST_SKIP() << "needs two GPUs: " << error.what();
  }
  ::setenv("LLAMAC_PEER_MEMORY", GetParam(), 1);
  auto plan = Plan::load(file);
  runRanks(2, [&](ThreadPeers &peers) {
    auto rank = peers.world().rank;
    auto device = createDevice("cuda", {.ordinal = rank});
    auto communicators = createCommunicators(*plan, peers, *device);
    Session session(plan, std::move(device),
                    {.communicators = communicators.get()});
    for (unsigned run = 0; run < 12; ++run) {
      auto [tokens, rows] = kPrograms[run * 7 % 5 % 3];
      put(session, run, rank);
      peers.barrier();
      session.run(*session.find(fb::ProgramKind::Evaluate, tokens, 4)).wait();
      check(session, run, rows);
    }
    peers.leave();
  });
  ::unsetenv("LLAMAC_PEER_MEMORY");
}

INSTANTIATE_TEST_SUITE_P(Ways, GpuSum, testing::Values("1", "0"));

} // namespace
