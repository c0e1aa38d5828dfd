#include "runtime/plan/Plan.h"

#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llamarun;
using namespace llamarun::test;

namespace {

std::string temporary(const std::string &name) {
  return (std::filesystem::temp_directory_path() /
          (name + std::to_string(::getpid())))
      .string();
}

void expectLoadError(const std::string &path, const std::string &part) {
  try {
    Plan::load(path);
    ADD_FAILURE() << "accepted " << path;
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::BadInput);
    std::string message = error.what();
    EXPECT_EQ(message.rfind(path + ": ", 0), 0u) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST(Plan, LoadsAFile) {
  auto path = temporary("plan-");
  std::ofstream(path, std::ios::binary) << smallPlan().file();
  auto plan = Plan::load(path);
  std::filesystem::remove(path);
  EXPECT_EQ(plan->path(), path);
  EXPECT_EQ(plan->hash().size(), 32u);
  EXPECT_EQ(plan->model().vocab_size(), 32u);
  EXPECT_EQ(plan->programCount(), 2u);
  ASSERT_NE(plan->findTensor(fb::Role::Gradient, "score.weight"), nullptr);
  EXPECT_EQ(plan->findTensor(fb::Role::Gradient, "model.w.weight"), nullptr);
  auto *tensor = plan->findTensor(fb::Role::Weight, "model.w.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(plan->elements(tensor->buffer()), 16u);
  EXPECT_EQ(plan->bytes(tensor->buffer()), 64u);
}

TEST(Plan, NotAPlan) {
  expectLoadError("/no/such/plan.fb", "cannot open");
  auto directory = temporary("plan-dir-");
  std::filesystem::create_directory(directory);
  expectLoadError(directory, "not a regular file");
  std::filesystem::remove(directory);
  auto fifo = temporary("plan-fifo-");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expectLoadError(fifo, "not a regular file");
  std::filesystem::remove(fifo);
  auto text = temporary("plan-text-");
  std::ofstream(text) << "module {}";
  expectLoadError(text, "not a plan");
  std::ofstream(text, std::ios::trunc) << "";
  expectLoadError(text, "not a plan");
  std::filesystem::remove(text);
}

TEST(Plan, OtherSchema) {
  auto builder = smallPlan();
  builder.plan.schema_hash = std::string(64, '0');
  try {
    builder.load();
    FAIL();
  } catch (const Error &error) {
    std::string message = error.what();
    EXPECT_NE(message.find("llamac 0.0-test"), std::string::npos) << message;
    EXPECT_NE(message.find("rebuild"), std::string::npos) << message;
  }
}

TEST(Plan, FindsTheSmallestBucket) {
  PlanBuilder builder;
  auto x = builder.buffer(fb::Category::Activations, fb::DType::F32, {4});
  for (auto tokens : {64u, 16u, 32u})
    builder
        .step(builder.program(fb::ProgramKind::Evaluate, tokens, tokens / 8),
              fb::FillT{})
        .target = x;
  auto plan = builder.load();
  auto tokens = [&](auto n, auto sequences) {
    auto *program = plan->find(fb::ProgramKind::Evaluate, n, sequences);
    return program ? program->tokens() : 0;
  };
  EXPECT_EQ(tokens(1, 1), 16u);
  EXPECT_EQ(tokens(16, 2), 16u);
  EXPECT_EQ(tokens(17, 1), 32u);
  EXPECT_EQ(tokens(10, 5), 64u);
  EXPECT_EQ(tokens(65, 1), 0u);
  EXPECT_EQ(plan->find(fb::ProgramKind::Train, 1), nullptr);
}

} // namespace
