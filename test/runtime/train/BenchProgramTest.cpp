#include "runtime/train/BenchProgram.h"

#include "runtime/support/Error.h"
#include "runtime/train/CounterRandom.h"
#include "test/runtime/plan/GradientPlan.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <cmath>

namespace llamarun {
namespace {

using test::gradientPlan;

std::unique_ptr<Session> open(const test::PlanBuilder &builder) {
  return std::make_unique<Session>(builder.load(),
                                   createDevice("cpu", {.threads = 2}));
}

std::vector<float> read(Session &session, std::string_view name,
                        std::size_t count) {
  std::vector<float> values(count);
  session.readOutput(session.plan().program(0), name,
                     std::as_writable_bytes(std::span(values)));
  return values;
}

TEST(BenchProgram, RunsOnDrawnInputs) {
  auto session = open(gradientPlan());
  std::vector<float> w(12);
  for (std::size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<float>(i) - 5;
  session->writeTensor(fb::Role::Parameter, "w", std::as_bytes(std::span(w)));
  BenchOptions options;
  options.steps = 7;
  options.warmup = 2;
  auto result = benchProgram(*session, Ranks(), 5, options);
  EXPECT_EQ(result.steps, 7u);
  EXPECT_EQ(result.samples, 42u);
  EXPECT_EQ(result.tokens, 42u);
  EXPECT_EQ(result.lastLoss, float(1.0 / 6));
  ASSERT_EQ(result.buckets.size(), 1u);
  EXPECT_EQ(result.buckets[0].program, "own");
  EXPECT_EQ(result.rankP50.size(), 1u);
  EXPECT_GT(result.wallSeconds, 0);

  // Drawn by name and index, and the gradient is of the same inputs.
  CounterRandom random(5, "bench.x");
  std::vector<double> x(18), gradient(12);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(random.normal(i));
  auto y = read(*session, "y", 24);
  for (std::size_t r = 0; r < 6; ++r)
    for (std::size_t o = 0; o < 4; ++o) {
      double sum = 0;
      for (std::size_t i = 0; i < 3; ++i)
        sum += x[r * 3 + i] * w[o * 3 + i];
      EXPECT_NEAR(y[r * 4 + o], sum, 1e-4);
      for (std::size_t i = 0; i < 3; ++i)
        gradient[o * 3 + i] += sum * x[r * 3 + i];
    }
  std::vector<float> got(12);
  session->readTensor(fb::Role::Gradient, "w",
                      std::as_writable_bytes(std::span(got)));
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], gradient[i], 1e-3);
}

TEST(BenchProgram, InputsWrittenAreThoseTimed) {
  auto session = open(gradientPlan());
  auto &program = session->plan().program(0);
  float scale = 3;
  session->writeInput(program, "loss_scale",
                      std::as_bytes(std::span(&scale, 1)));
  EXPECT_EQ(session->timeRuns(program, 0, 4).size(), 4u);
  EXPECT_EQ(read(*session, "loss", 1)[0], 3);
  EXPECT_TRUE(session->timeRuns(program, 2, 0).empty());
}

TEST(BenchProgram, RefusesWhatItCannotDraw) {
  auto b = gradientPlan();
  test::PlanBuilder::bind(b.plan.programs[0]->inputs, "ids",
                          b.buffer(fb::Category::Inputs, fb::DType::I32, {6}));
  auto session = open(b);
  expectFailure(ExitCode::BadInput, {"input 'ids' is i32"},
                [&] { benchProgram(*session, Ranks(), 1, {}); });
  auto other = tiny::openSession();
  expectFailure(ExitCode::BadInput, {"has no program of its model"},
                [&] { benchProgram(*other, Ranks(), 1, {}); });
}

} // namespace
} // namespace llamarun
