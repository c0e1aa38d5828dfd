// small-plan.mlir, compiled, on a GPU: through Plan, Session and the executors,
// as any plan. The plan is $LLAMAC_GPU_PLAN or the one this build made.
#include "runtime/executor/Session.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

namespace llamarun {
namespace {

constexpr std::size_t kRows = 48, kColumns = 640, kInner = 192;

std::vector<float> randomFloats(std::size_t count, std::mt19937 &random) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (auto &value : values)
    value = uniform(random);
  return values;
}

template <typename T> std::span<const std::byte> bytesOf(std::vector<T> &v) {
  return std::as_bytes(std::span(v));
}

/// log_softmax(rms_norm(a b^T) * norm * 1.5) in float64.
std::vector<double> reference(const std::vector<float> &a,
                              const std::vector<float> &b,
                              const std::vector<float> &norm) {
  std::vector<double> out(kRows * kColumns);
  for (std::size_t r = 0; r < kRows; ++r) {
    double *row = &out[r * kColumns];
    double squares = 0, most = -INFINITY, sum = 0;
    for (std::size_t c = 0; c < kColumns; ++c) {
      for (std::size_t k = 0; k < kInner; ++k)
        row[c] += double(a[r * kInner + k]) * b[c * kInner + k];
      squares += row[c] * row[c];
    }
    for (std::size_t c = 0; c < kColumns; ++c) {
      row[c] = row[c] / std::sqrt(squares / kColumns + 1e-5) * norm[c] * 1.5;
      most = std::max(most, row[c]);
    }
    for (std::size_t c = 0; c < kColumns; ++c)
      sum += std::exp(row[c] - most);
    for (std::size_t c = 0; c < kColumns; ++c)
      row[c] -= most + std::log(sum);
  }
  return out;
}

TEST(GpuPlan, ComputesWhatTheLoopsCompute) {
  const char *path = std::getenv("LLAMAC_GPU_PLAN");
  std::string file = path ? path : LLAMAC_GPU_PLAN_DEFAULT;
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "no plan: " << file;
  auto plan = Plan::load(file);
  std::unique_ptr<Device> device;
  try {
    device = createDevice("cuda");
  } catch (const Error &error) {
    GTEST_SKIP() << "no GPU here: " << error.what();
  }
  RecordProperty("device", device->name());
  Session session(plan, std::move(device));
  auto *program = session.find(fb::ProgramKind::Evaluate, 64, kRows);
  ASSERT_TRUE(program);

  std::mt19937 random(20261122);
  std::vector<float> logits(kRows * kColumns), first;
  std::vector<unsigned char> poison(logits.size() * sizeof(float), 0xff);
  auto output = session.range(program->outputs()->Get(0)->buffer());
  // New weights for the third run: a replayed graph must read them.
  for (int run = 0; run < 3; ++run) {
    static std::vector<float> a, b, norm;
    if (run != 1) {
      a = randomFloats(kRows * kInner, random);
      b = randomFloats(kColumns * kInner, random);
      norm = randomFloats(kColumns, random);
      session.writeTensor(fb::Role::Weight, "a", bytesOf(a));
      session.writeTensor(fb::Role::Weight, "b", bytesOf(b));
      session.writeTensor(fb::Role::Weight, "norm", bytesOf(norm));
    }
    session.device().copyToDevice(output.pointer, poison.data(), poison.size());
    session.run(*program);
    session.readOutput(*program, "logits",
                       std::as_writable_bytes(std::span(logits)));
    auto expected = reference(a, b, norm);
    double worst = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      ASSERT_TRUE(std::isfinite(logits[i])) << "element " << i;
      worst = std::max(worst, std::abs(logits[i] - expected[i]));
    }
    // f32 sums of 192 products near 1, normalized to about 1; logits near -7.
    EXPECT_LT(worst, 1e-5) << "run " << run;
    std::printf("run %d: largest error %.3g\n", run, worst);
    if (run == 0)
      first = logits;
    if (run == 1) {
      EXPECT_EQ(0, std::memcmp(first.data(), logits.data(),
                               logits.size() * sizeof(float)));
    }
  }
  std::uint64_t weights = 0;
  for (std::size_t i = 0; i < plan->allocationCount(); ++i)
    if (plan->allocation(i).category() == fb::Category::Weights)
      weights += plan->allocation(i).bytes();
  EXPECT_EQ(session.allocatedBytes(fb::Category::Weights), weights);
}

} // namespace
} // namespace llamarun
